// The environment of a program that is to use Venus on our vtest socket.
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

// A copy of `environment` (ended by NULL) with the variables that a client of `socket` needs:
// VN_DEBUG, VTEST_SOCKET_NAME, VK_DRIVER_FILES, VK_ICD_FILENAMES, MESA_VK_WSI_DEBUG. Owns: free it
// with cli_environment_free. Errors: NULL, out of memory.
char **cli_environment_for_client(char *const *environment, const char *socket,
                                  const char *manifest);
void cli_environment_free(char **environment);

#endif
