/**
 * How a role's process is started, beside its own arguments. A proxy holds thousands of connections that mostly say nothing: with small
 * generations for new objects, and large buffers that are given to the system page by page, each of them takes about half the memory.
 * (The variable speaks to the C library of Linux; elsewhere it changes nothing.)
 * @param {string | undefined} command first word of the command line
 * @returns {{ nodeOptions: string[], env: Record<string, string> }}
 */
export function roleRuntime(command) {
  if (command !== 'proxy') return { nodeOptions: [], env: {} }
  return { nodeOptions: ['--max-semi-space-size=2'], env: { MALLOC_MMAP_THRESHOLD_: '8192' } }
}
