// The environment of a program that is to use our Venus.
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

// A copy of `environment` (NULL-terminated) with what a client of `socket` needs: VN_DEBUG,
// VTEST_SOCKET_NAME, VK_DRIVER_FILES, VK_ICD_FILENAMES, MESA_VK_WSI_DEBUG. NULL: out of memory.
char **cli_environment_for_client(char *const *environment, const char *socket,
                                  const char *manifest);
void cli_environment_free(char **environment);

#endif
