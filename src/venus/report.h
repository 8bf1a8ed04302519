// What a driver and its devices can do for a guest, as a text: for hesper doctor, which loads no
// driver itself, and for choosing among drivers. In a process of its own, which a driver may end.
#ifndef VENUS_REPORT_H
#define VENUS_REPORT_H

#include "venus/worker.h"

// Stands in front of the report's only line of JSON, as a driver may write to the same place.
#define VENUS_REPORT_MARK "hesper-report: "

// Loads the driver of `options` and writes the report to the standard output:
//   error       why the driver is of no use; then nothing else is there
//   vulkan      what the loader offers, like "1.4.343"
//   portability whether drivers of a subset of Vulkan are asked for
//   sandbox     what is in force around a worker; null: nothing
//   devices     number, name, refused (null, or why guests cannot use it), vulkan, extensions
//   (count),
//               memory_types (count), importable_types (count), import_alignment (bytes),
//               dma_bufs (whether it takes shared memory so, and not by its address), memory (array
//               of flags of those that a guest can map), portability (what full Vulkan has and it
//               lacks), lacks (feature and who misses it), as a guest sees it
// Returns the exit status: 0 if a guest could use one of the devices, else VENUS_WORKER_NO_DRIVER.
int venus_report_main(const struct venus_worker_options *options);

#endif
