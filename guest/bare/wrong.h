// Wrong hooks, one at a time: does the kit's test of hooks say which?
#ifndef BARE_WRONG_H
#define BARE_WRONG_H

// Tries each, and says on the serial line what the test said.
void wrong_hooks(void);

#endif
