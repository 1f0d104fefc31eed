import { readVectors, type VectorFile, vectorFiles } from '../../main/protocol/testing/vector-cases.ts'

export const hexBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
export const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Every value under a key, anywhere in a golden file. */
export function valuesNamed(file: VectorFile, key: string): string[] {
  const found: string[] = []
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, inner] of Object.entries(value)) {
      if (name === key && typeof inner === 'string') found.push(inner)
      else walk(inner)
    }
  }
  walk(readVectors(file))
  return found
}

/** Frames of all recordings, at most `most` of them, each a different one. */
export function recordedFrames(most: number): Uint8Array[] {
  const all = new Set(vectorFiles.filter((file) => file.startsWith('wire/')).flatMap((file) => valuesNamed(file, 'frame_hex')))
  const list = [...all]
  const step = Math.max(1, Math.floor(list.length / most))
  return list.filter((_, i) => i % step === 0).map(hexBytes)
}
