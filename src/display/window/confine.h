// What the process of a window may still do, so that a guest which has taken it over, by a picture
// that a driver stumbles over, does not have the person's files and programs.
//
// Thread: the first.
#ifndef WINDOW_CONFINE_H
#define WINDOW_CONFINE_H

#include <stdbool.h>

// Before SDL and a driver are loaded: what they may find in the environment, and, if `sandbox`,
// which files they may open.
void window_confine(bool sandbox);
// Pictures are shown: nothing more is connected to. Called again, it does nothing.
void window_confine_more(void);

#endif
