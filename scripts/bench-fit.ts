/**
 * `npm run bench:fit [-- file.gguf …]`: what models are estimated to take against what they take on the processor: the buffers that the library tells
 * of, the private memory that the process asked the system for, and the part of it that lies in memory. Without files: the model that the journeys
 * use, if it is here, and two made of zeros in the shape of known ones. Exits 1 when an estimate is off by more than a tenth.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { readGgufHeader } from '../main/models/gguf.ts'
import { memoryNeed } from '../main/models/memory-need.ts'
import { measureMemory } from '../main/models/testing/measure-memory.ts'
import { writeShapedGguf } from '../main/models/testing/shaped-gguf.ts'

const provisioned = 'node_modules/.cache/cocoon-e2e/SmolLM2-135M-Instruct.Q4_1.gguf'
const folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-fit-'))
const mb = (bytes: number): string => (bytes / 1e6).toFixed(0).padStart(6)
const percent = (estimate: number, real: number): string => `${(100 * (estimate / real - 1)).toFixed(1)}%`.padStart(7)

async function files(): Promise<string[]> {
  const given = process.argv.slice(2)
  if (given.length > 0) return given
  const common = { headSize: 128, contextTokens: 32_768, type: 8 }
  const small = join(folder, 'zeros-0.6B-Q8_0.gguf')
  const llama = { embedding: 1024, layers: 28, heads: 16, kvHeads: 8, feedForward: 3072, vocabulary: 151_936, tied: true }
  await writeShapedGguf(small, { ...common, ...llama })
  const wide = join(folder, 'zeros-0.2B-Q8_0.gguf')
  const flat = {
    embedding: 1024,
    layers: 12,
    heads: 16,
    kvHeads: 16,
    headSize: 64,
    feedForward: 4096,
    vocabulary: 1000,
    tied: false,
  }
  await writeShapedGguf(wide, { ...common, ...flat })
  return [...(existsSync(provisioned) ? [provisioned] : []), small, wide]
}

let worst = 0
try {
  console.log('MB (10^6): estimate | buffers of the library | private memory of the process | of it resident after a prompt')
  for (const path of await files()) {
    const { layout } = await readGgufHeader(path)
    if (layout === null) throw new Error(`${path} does not say its shape`)
    for (const options of [
      { contextTokens: 512, sequences: 1, flashAttention: true },
      { contextTokens: 4096, sequences: 2, flashAttention: true },
      { contextTokens: 8192, sequences: 1, flashAttention: true },
      { contextTokens: 8192, sequences: 1, flashAttention: false },
    ]) {
      const need = memoryNeed(layout, options, 'cpu')
      const real = await measureMemory(path, options)
      const inBuffers = need.totalBytes - need.processBytes
      worst = Math.max(worst, Math.abs(inBuffers / real.bufferBytes - 1), Math.abs(need.totalBytes / real.allocatedBytes - 1))
      const set = `${options.contextTokens} x ${options.sequences}${options.flashAttention ? '' : ' plain'}`
      console.log(
        [
          `${basename(path)} ${set}`.padEnd(52),
          `${mb(inBuffers)} / ${mb(real.bufferBytes)} ${percent(inBuffers, real.bufferBytes)}`,
          `${mb(need.totalBytes)} / ${mb(real.allocatedBytes)} ${percent(need.totalBytes, real.allocatedBytes)}`,
          `${mb(real.residentBytes)}`,
        ].join(' | '),
      )
    }
  }
} finally {
  await rm(folder, { recursive: true })
}
console.log(`Farthest off: ${(100 * worst).toFixed(1)} %`)
process.exitCode = worst > 0.1 ? 1 : 0
