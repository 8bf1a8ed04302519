// Decoded arguments in words: name = value, enumerants and flags by name, handles as Type#id.
#ifndef TRACE_PRINT_H
#define TRACE_PRINT_H

#include <stdio.h>

#include "wire/wire.h"

// "device = Device#3, pCreateInfo = {…}": all that the request has. Without `full`, long texts,
// arrays and structures are cut short, and say so.
void trace_print_request(FILE *out, const struct wire_call *call, bool full);
// " = VK_SUCCESS", then what was written: " {pMemoryRequirements = {…}}". Nothing if there is
// neither.
void trace_print_reply(FILE *out, const struct wire_call *call, bool full);

#endif
