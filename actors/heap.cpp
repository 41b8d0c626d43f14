// HEAP: how jemalloc, which allocates for the whole server, is set up. Nothing calls this: jemalloc looks for the name.
//
// - thp: sessions lie in huge pages. A message touches some thirty places of two sessions and two accounts; with a
//   million of them in 4 KiB pages, finding the pages costs as much as the work (README, "Measured").
// - percpu_arena: as many arenas as there are cores, since with huge pages each takes megabytes.
// - background_thread: what a storm of sign-ins took goes back to the system when nothing is allocated any more.

extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "thp:always,percpu_arena:percpu,background_thread:true";
}
