// Exit statuses of ours. If hesper starts a program, that program's status is passed on.
#ifndef CLI_OPTION_EXIT_H
#define CLI_OPTION_EXIT_H

enum {
    CLI_OK = 0,
    CLI_FAILED = 1,           // the host or the peer fails: one line on stderr says what and why
    CLI_USAGE = 2,            // the command line is wrong
    CLI_NOT_EXECUTABLE = 126, // as in a shell
    CLI_NOT_FOUND = 127,
    CLI_SIGNALLED = 128, // + number of the signal
};

#endif
