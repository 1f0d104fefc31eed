import { z } from 'zod'
import { words } from './scalars.ts'

const bytes = z.number().nonnegative()

/**
 * Whether a model fits on this computer (ui.md §5.3). `well`: at least a tenth of the device stays free. `tight`: it fits, maybe with a shorter context.
 * `with-ram`: some layers run beside the GPU, much slower.
 */
export const modelFit = z.object({
  word: z.enum(['well', 'tight', 'with-ram', 'too-big']),
  device: z.enum(['gpu', 'cpu']),
  /** Memory of the device. */
  deviceBytes: bytes,
  weightsBytes: bytes,
  /** Context and computation. */
  contextBytes: bytes,
  needBytes: bytes,
  /** Context of each answer that was reckoned with. */
  contextTokens: z.number().int().positive(),
  /** Layers on the GPU, where not all fit. */
  split: z.object({ onGpu: z.number().int(), of: z.number().int() }).nullable(),
  /** The header is not here yet: reckoned from what is published of the model, rather too much than too little. */
  rough: z.boolean(),
  /** What the file will probably have, where that is not known; `weightsBytes` has a reserve then. */
  roughFileBytes: bytes.optional(),
})
export type ModelFit = z.infer<typeof modelFit>

/** What a model can besides chat, as the catalog says it; null where nobody said. */
export const modelAbilities = z.object({ reasoning: z.boolean().nullable(), tools: z.boolean().nullable() })

/** A file that the user added. */
export const ownFile = z.object({
  /** It lies in the models folder, and goes with its model; else only the entry goes. */
  isInFolder: z.boolean(),
  /** Name of the model of the catalog that it is byte for byte; absent also while its hash is not known. */
  sameAs: z.string().optional(),
})
export type OwnFile = z.infer<typeof ownFile>

/** The disk under the models. */
export const modelStorage = z.object({
  folder: z.string(),
  /** Of all files in the folder, unfinished downloads too. */
  usedBytes: bytes,
  /** Null where the system does not say. */
  freeBytes: bytes.nullable(),
})
export type ModelStorage = z.infer<typeof modelStorage>

/** A move of the models to another folder. */
export const modelsMove = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('idle'),
    /** A program had files of the former folder open; they are removed when the app starts again. */
    leftIn: z.string().optional(),
  }),
  z.object({
    status: z.literal('moving'),
    to: z.string(),
    doneBytes: bytes,
    totalBytes: bytes,
    bytesPerSecond: bytes,
    /** The one that is being copied. */
    file: z.string(),
  }),
  /** It was stopped by a failure and can go on. The models are where they were. */
  z.object({ status: z.literal('stopped'), to: z.string(), problem: z.string(), problemWords: words.optional() }),
  /** The folder of the models is not there. */
  z.object({ status: z.literal('away'), folder: z.string() }),
])
export type ModelsMove = z.infer<typeof modelsMove>
