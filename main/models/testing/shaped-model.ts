import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readGgufHeader } from '../gguf.ts'
import type { ModelLayout } from '../layout.ts'
import { type Shape, writeShapedGguf } from './shaped-gguf.ts'

/** The model whose memory the tests look at. */
export const shape: Shape = {
  ...{ embedding: 512, layers: 8, heads: 8, kvHeads: 4, headSize: 64, feedForward: 2048 },
  ...{ vocabulary: 32_000, contextTokens: 16_384, type: 8, tied: false },
}

export interface ShapedModel {
  /** Holds nothing else. */
  readonly folder: string
  readonly path: string
  readonly layout: ModelLayout
  remove(): Promise<void>
}

/** Writes it to a folder of its own. */
export async function shapedModel(): Promise<ShapedModel> {
  const folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-need-'))
  const path = join(folder, 'shaped.gguf')
  await writeShapedGguf(path, shape)
  const { layout } = await readGgufHeader(path)
  if (layout === null) throw new Error('no layout')
  return { folder, path, layout, remove: () => rm(folder, { recursive: true }) }
}
