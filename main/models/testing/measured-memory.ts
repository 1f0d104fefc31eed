import { readFileSync } from 'node:fs'
import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp'

// A process of its own that loads a model on the processor and tells what memory that took, as JSON on standard output. Arguments: path, context
// tokens, sequences, `flash` or `plain`.
const [path = '', contextTokens = '', sequences = '', attention = 'flash'] = process.argv.slice(2)

/** Bytes that this process holds without those of JavaScript: all that was set aside, and the part of it that was ever touched. */
function nativeBytes(): { readonly allocated: number; readonly resident: number } {
  const status = readFileSync('/proc/self/status', 'utf8')
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
  const { heapTotal, external } = process.memoryUsage()
  return { allocated: bytes('VmData') - heapTotal - external, resident: bytes('VmRSS') - heapTotal - external }
}

const buffers: Record<string, number> = {}
const llama = await getLlama({
  gpu: false,
  build: 'never',
  progressLogs: false,
  logLevel: LlamaLogLevel.info,
  logger: (_, text) => {
    // The library tells what it sets aside, in MiB.
    for (const [, name, kind, size] of text.matchAll(/(\S+) +(model|KV|output|compute) buffer size = +([\d.]+) MiB/g))
      buffers[`${name} ${kind}`] = Number(size) * 2 ** 20
  },
})
const before = nativeBytes()
const model = await llama.loadModel({ modelPath: path, useMmap: false })
const context = await model.createContext({
  sequences: Number(sequences),
  contextSize: Number(contextTokens),
  batchSize: 512,
  threads: 1,
  flashAttention: attention === 'flash',
})
const tokens = Array.from({ length: Math.min(600, Number(contextTokens) - 8) }, (_, at) => ((at % 200) + 3) as Token)
for await (const _ of context.getSequence().evaluate(tokens)) break
const after = nativeBytes()
const answer = { allocatedBytes: after.allocated - before.allocated, residentBytes: after.resident - before.resident, buffers }
process.stdout.write(JSON.stringify(answer), () => process.exit(0))
