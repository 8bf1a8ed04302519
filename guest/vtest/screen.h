// Private to guest/vtest: a screen on the desk. HESPER_GUEST_SCREEN=WIDTHxHEIGHT:FILE gives
// programs over vtest an output, whose picture is the file (PPM), whole at any time.
#ifndef GUEST_VTEST_SCREEN_H
#define GUEST_VTEST_SCREEN_H

#include "guest/transport.h"

// Output 0, if there is one.
void vtest_screen_info(struct guest_info *info);

// Errors: GUEST_ERROR_UNSUPPORTED: there is no screen; GUEST_ERROR_REFUSED: not this picture, or
// the file cannot be written.
int vtest_screen_show(const struct guest_blob *blob, const struct guest_picture *picture);

#endif
