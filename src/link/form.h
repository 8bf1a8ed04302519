// Which messages are well formed: size, descriptors, inner counts, terminated texts.
#ifndef LINK_FORM_H
#define LINK_FORM_H

#include "link/link.h"

// `payload`: header->size bytes, 8-byte aligned.
bool link_well_formed(const struct link_header *header, const uint8_t *payload);

#endif
