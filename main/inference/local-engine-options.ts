import type { Logger } from '../base/logger.ts'
import type { Patience } from './engine-child.ts'
import type { GpuChoice, KvCacheType, LoadOrder, SamplingAdvice } from './engine-messages.ts'

export interface LocalEngineOptions {
  /** Path of the engine process: `engine-process.ts` as source, or its bundled `.js`. */
  readonly entryPath: string
  /** Default `auto`: a usable GPU if there is one. */
  readonly gpu?: GpuChoice
  /** Answers generated at the same time, batched in one context; more wait in line. Default 2. */
  readonly sequences?: number
  /** One more place is left to the user's own chat, so that it never waits for the end of other answers. Default false. */
  readonly keepOwn?: boolean
  /** Default 0: as measured best for this machine. */
  readonly threads?: number
  /** Upper bound of the context of each sequence, in tokens. Default 8192; the model's own limit is never exceeded. */
  readonly contextTokens?: number
  /** Let everything else on the machine go first. Default true. */
  readonly background?: boolean
  /** Gives all memory back when nothing was asked for so long; the next request loads the model again. Default 0: never. */
  readonly idleUnloadMs?: number
  /** Default `f16`. `q8_0` takes about half the memory for each token of context. */
  readonly kvCache?: KvCacheType
  /** Called before each process that is to load a model, also after a crash. A rejection is the reason why it is not loaded. */
  readonly beforeLoad?: (model: ModelToLoad) => Promise<void>
  /**
   * Called before a model that is asleep is brought back, e.g. to make room for it. A rejection fails the request that wanted it.
   */
  readonly beforeWake?: () => Promise<void>
  /** Called when such a wake has ended, however it did. */
  readonly afterWake?: () => void
  /** How fast an answer of the model was written beside which nothing else was under way, in tokens per second. */
  readonly onSpeed?: (tokensPerSecond: number) => void
  /** Where a file of a model is now that was at this path when it was loaded: it may have been moved since. Default: still there. */
  readonly whereIs?: (path: string) => string
  /** Pause before the first restart after a crash; it doubles with each further crash. Default 250 ms. */
  readonly restartPauseMs?: number
  readonly patience?: Patience
  readonly logger?: Logger
}

export interface ModelToLoad {
  readonly path: string
  /** Shown in the state. */
  readonly name: string
  readonly contextTokens?: number
  /** Recommended by the makers of the model, for requests that name none; goes before what the file itself says. */
  readonly sampling?: SamplingAdvice | undefined
}

/** What the process is told to load. */
export function orderOf(
  model: ModelToLoad,
  { gpu = 'auto', threads = 0, keepOwn = false, kvCache = 'f16' }: LocalEngineOptions,
  wanted: { readonly contextTokens: number; readonly sequences: number },
): LoadOrder {
  const contextTokens = model.contextTokens ?? wanted.contextTokens
  return {
    ...{ path: model.path, gpu, gpuPart: 1, sequences: wanted.sequences, keepOwn, threads, kvCache },
    ...{ contextTokens, askedContextTokens: contextTokens, sampling: model.sampling },
  }
}
