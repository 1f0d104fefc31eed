/** Sources of llama.cpp that end a process: a closed list, since anything else might be words of a question. */
const sources =
  'ggml|ggml-(?:alloc|backend|backend-reg|blas|cpu|cuda|metal|metal-device|opt|quants|sycl|threading|vulkan)|gguf|ops|' +
  'llama|llama-(?:adapter|arch|batch|chat|context|grammar|graph|impl|kv-cache|memory|mmap|model|model-loader|sampling|vocab)'
const place = new RegExp(`\\b(?:${sources})\\.(?:c|cpp|cu|cuh|h|m|metal):\\d{1,6}\\b`, 'g')
/** What native code says when it ends. */
const reasons = [
  'GGML_ASSERT',
  'GGML_ABORT',
  'out of memory',
  'bad_alloc',
  'CUDA error',
  'device lost',
  'illegal instruction',
  'segmentation fault',
  'terminate called',
  'no kernel image',
] as const
const mostPlaces = 3

/**
 * What a process wrote before it ended, for a log: known reasons and places in known sources, never its text, which may quote a question or an answer.
 * Undefined where nothing is known by it.
 */
export function lastWords(stderr: string): string | undefined {
  const text = stderr.toLowerCase()
  const said = reasons.filter((reason) => text.includes(reason.toLowerCase()))
  const words = [...said, ...(stderr.match(place) ?? []).slice(-mostPlaces)]
  return words.length === 0 ? undefined : words.join(' | ')
}
