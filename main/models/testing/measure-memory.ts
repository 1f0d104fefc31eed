import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface MeasuredMemory {
  /** Private memory that the process asked the system for. */
  readonly allocatedBytes: number
  /** What of it lies in memory after one prompt. */
  readonly residentBytes: number
  /** By what the library called them, e.g. `CPU KV`. */
  readonly buffers: Readonly<Record<string, number>>
  /** Sum of the buffers. */
  readonly bufferBytes: number
}

/** Loads a model on the processor in a process of its own and measures it. Linux only: it reads /proc. */
export async function measureMemory(
  path: string,
  { contextTokens, sequences, flashAttention }: { contextTokens: number; sequences: number; flashAttention: boolean },
): Promise<MeasuredMemory> {
  const entry = fileURLToPath(new URL('./measured-memory.ts', import.meta.url))
  const args = [entry, path, String(contextTokens), String(sequences), flashAttention ? 'flash' : 'plain']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const measured = JSON.parse(stdout) as Omit<MeasuredMemory, 'bufferBytes'>
  return { ...measured, bufferBytes: Object.values(measured.buffers).reduce((sum, bytes) => sum + bytes, 0) }
}
