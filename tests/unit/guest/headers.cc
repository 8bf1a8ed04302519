// The kit's headers for a system that is written in C++.
#include "guest/pci/gpu.h"
#include "guest/vtest/vtest.h"
#include "guest/vulkan/guest.h"
