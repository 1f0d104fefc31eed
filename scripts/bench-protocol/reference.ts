/** Figures of others, for comparison; they were not measured by this run. */
export const reference = `The C++ reference, as measured elsewhere on 2 cores (client, proxy, worker, two router hops, load generator and instant engine, -O1):
  1 in flight: 528/s, p50 1.75 ms; 16: 1865/s, p50 8.4 ms, p99 15 ms; 64: hangs, refused requests are never answered; 33 to 37 MB per role`

export const targets = `Targets, everything on 2 cores: p50 at most 1.5 ms at 1; at least 2000/s at 16, 64 and 256 with every request answered; p99 at 16 at most 15 ms;
  under 60 KB for each idle worker`
