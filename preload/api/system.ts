import { z } from 'zod'
import { prices } from './electricity.ts'
import { limits } from './limits.ts'
import { modelAbilities, modelFit, modelStorage, modelsMove, ownFile } from './model-fit.ts'
import { addressText, nano, timeMs, words } from './scalars.ts'

/** Whether a back end of the engine can use a card: its driver is here, it cannot, or (null) nothing says. The processor's can always be used. */
export const gpuBackends = z.object({
  cuda: z.boolean().nullable(),
  vulkan: z.boolean().nullable(),
  metal: z.boolean().nullable(),
})
export type GpuBackends = z.infer<typeof gpuBackends>

export const gpu = z.object({
  name: z.string(),
  vendor: z.enum(['nvidia', 'amd', 'intel', 'apple', 'other']),
  memoryBytes: z.number().int().nonnegative().nullable(),
  driver: z.string().nullable(),
  pciId: z.string().nullable(),
  backends: gpuBackends.optional(),
  /** The loaded engine computes on this card by it: the list of its own library says so. */
  usedBackend: z.enum(['cuda', 'vulkan', 'metal']).optional(),
})
export type Gpu = z.infer<typeof gpu>

/** What this computer is. Unknown is null, never zero. */
export const hardwareFacts = z.object({
  cpu: z.object({
    name: z.string(),
    vendor: z.string(),
    physicalCores: z.number().int().positive(),
    threads: z.number().int().positive(),
    speedGHz: z.number().nonnegative().nullable(),
  }),
  memoryBytes: z.number().int().positive(),
  gpus: z.array(gpu),
  os: z.object({ platform: z.string(), name: z.string(), version: z.string(), arch: z.string() }),
  /** Honest verdict on confidential computing, in one sentence. */
  tee: z.object({
    kind: z.enum(['none', 'tdx-guest', 'sev-snp-guest']),
    /** Whether the app can have quotes of this machine that others verify. */
    canQuote: z.boolean(),
    sentence: z.string(),
  }),
  /** Confidential computing of NVIDIA GPUs as their driver tells it; left out without such a GPU. */
  gpuConfidential: z
    .object({
      state: z.enum(['on', 'off', 'devtools', 'unknown']),
      ready: z.boolean(),
      processor: z.string().nullable(),
      capable: z.boolean(),
    })
    .optional(),
})
export type HardwareFacts = z.infer<typeof hardwareFacts>

/** Live values, once a second while somebody looks. */
export const telemetry = z.object({
  atMs: timeMs,
  cpuPercent: z.number().min(0).max(100).nullable(),
  memoryUsedBytes: z.number().int().nonnegative(),
  cpuTemperatureC: z.number().nullable(),
  gpus: z.array(
    z.object({
      name: z.string(),
      utilisationPercent: z.number().nullable(),
      memoryUsedBytes: z.number().nullable(),
      memoryTotalBytes: z.number().nullable(),
      /** Of the memory in use, by this app. */
      memoryOursBytes: z.number().nullable(),
      temperatureC: z.number().nullable(),
      powerW: z.number().nullable(),
      powerLimitW: z.number().nullable(),
      clockMHz: z.number().nullable(),
      /** The card holds itself back, and why. */
      throttling: z.enum(['none', 'thermal', 'power', 'other']).nullable(),
    }),
  ),
})
export type Telemetry = z.infer<typeof telemetry>

export const modelState = z.object({
  id: z.string(),
  name: z.string(),
  licence: z.string().nullable(),
  parameters: z.string().nullable(),
  quantization: z.string().nullable(),
  sizeBytes: z.number().int().nonnegative().nullable(),
  contextTokens: z.number().int().positive().nullable(),
  /** `own` marks a GGUF added by hand: never served to a real network (ui.md §5.3). */
  origin: z.enum(['catalog', 'own']),
  status: z.enum(['absent', 'downloading', 'verifying', 'installed', 'broken']),
  /** While downloading. */
  progress: z
    .object({ receivedBytes: z.number(), totalBytes: z.number().nullable(), bytesPerSecond: z.number(), source: z.string() })
    .optional(),
  /** Why it is absent or broken, and what to do. */
  problem: z.string().optional(),
  /** Of the problem's sentences, in their order; absent when one has none. */
  problemWords: z.array(words).optional(),
  sha256: z.string().nullable(),
  path: z.string().nullable(),
  loaded: z.boolean(),
  /** What the chosen model got less of, for want of memory, since it was loaded last; absent: nothing. */
  gotLess: z
    .array(
      z.object({
        /** Tokens that it reads, or layers on the graphics card. */
        kind: z.enum(['less-context', 'fewer-layers']),
        asked: z.number().int().nonnegative(),
        got: z.number().int().nonnegative(),
      }),
    )
    .optional(),
  /** Of the chosen model: the engine failed with it and does not hold it. "Load again" (`engine.loadAgain`) tries at once. */
  stopped: z
    .object({
      reason: z.string(),
      reasonWords: words.optional(),
      /** When the app tries by itself; null: it does not. */
      nextTryAtMs: timeMs.nullable(),
    })
    .optional(),
  /** In memory beside the chosen one, because a program asked for it; absent: no. */
  loadedForPrograms: z.boolean().optional(),
  /** Measured here; absent before the first run. */
  tokensPerSecond: z.number().nonnegative().optional(),
  /** Of a model of the catalog. */
  abilities: modelAbilities.optional(),
  /** Of a model added by hand. */
  own: ownFile.optional(),
  /** Of an unfinished download that waits to be continued. */
  receivedBytes: z.number().int().positive().optional(),
  /** Absent while neither size nor shape is known. */
  fit: modelFit.optional(),
})
export type ModelState = z.infer<typeof modelState>

export const walletTransaction = z.object({
  id: z.string(),
  atMs: timeMs,
  direction: z.enum(['in', 'out']),
  /** In plain words: "Payout", "Top up of the chat balance", "Returned by the contract", … */
  title: z.string(),
  counterparty: addressText.optional(),
  amount: nano,
  fee: nano,
})
export type WalletTransaction = z.infer<typeof walletTransaction>

export const walletState = z.object({
  network: z.enum(['local', 'testnet', 'mainnet']),
  /** `closed`: the app only reads this network; it has no wallet there. */
  status: z.enum(['starting', 'ready', 'error', 'closed']),
  error: z.string().optional(),
  errorWords: words.optional(),
  /** The user's own wallet: pays for chat, receives payouts. */
  user: z.object({ address: addressText, balance: nano }).optional(),
  /** Node wallet of the worker: pays gas for payouts; its owner is the user's wallet. */
  node: z.object({ address: addressText, balance: nano }).optional(),
  /** Money inside the client contract. `withdrawable` is the part above the stake (ui.md §13.6). */
  chat: z
    .object({ contract: addressText, balance: nano, stake: nano, withdrawable: nano, used: nano, pendingCharge: nano })
    .optional(),
  /**
   * Money on its way back from chat contracts of former terms of the network. `waiting`: the proxy is given time to pay it by itself; `closing`: it comes
   * after `unlockAtMs` at the latest; `owed`: only the proxy can still pay it.
   */
  returning: z
    .array(
      z.object({
        contract: addressText,
        amount: nano,
        phase: z.enum(['waiting', 'closing', 'owed']),
        unlockAtMs: timeMs.optional(),
      }),
    )
    .optional(),
  transactions: z.array(walletTransaction),
  readAtMs: timeMs.optional(),
})
export type WalletState = z.infer<typeof walletState>

/** One of the five knots of this computer's path to work (ui.md §5.5). */
export const pathStep = z.object({
  id: z.enum(['connection', 'proxy', 'registered', 'model', 'answering']),
  title: z.string(),
  state: z.enum(['done', 'doing', 'failed', 'ahead']),
  detail: z.string(),
  detailWords: words.optional(),
})
export type PathStep = z.infer<typeof pathStep>

export const networkState = z.object({
  kind: z.enum(['local', 'open', 'attested']),
  /** Null for the computer's own local network, which every face calls in its own language. */
  name: z.string().nullable(),
  chain: z.enum(['local', 'testnet', 'mainnet']),
  /** True: the app shows what the network contract says; it neither pays, serves nor runs a proxy there. */
  readOnly: z.boolean(),
  status: z.enum(['starting', 'ready', 'error']),
  error: z.string().optional(),
  errorWords: words.optional(),
  root: z
    .object({
      address: addressText,
      version: z.number().int(),
      paramsVersion: z.number().int(),
      structVersion: z.number().int(),
      isTest: z.boolean(),
      pricePerToken: nano,
      workerFeePerToken: nano,
      /** Ten-thousandths: 10000 = 1. */
      multipliers: z.object({ prompt: z.number(), cached: z.number(), completion: z.number(), reasoning: z.number() }),
      minClientStake: nano,
      minProxyStake: nano,
      readAtMs: timeMs,
    })
    .optional(),
  /** HTTP endpoint that the chain is read through. */
  endpoint: z.string().optional(),
  /**
   * Other endpoints that were asked for the network contract: which said the same when it was read last, and which did not answer. Left out before.
   * `disputed`: two that tell different things since; what is shown is the last that they agreed on.
   */
  others: z
    .object({
      same: z.array(z.string()),
      silent: z.array(z.string()),
      disputed: z.object({ first: z.string(), other: z.string() }).optional(),
    })
    .optional(),
  proxies: z.array(
    z.object({
      /** Not known of a proxy that was never spoken to: the network contract lists network addresses only. */
      contract: addressText.optional(),
      clientPort: z.string(),
      workerPort: z.string(),
      state: z.enum(['connected', 'connecting', 'lost', 'listed']),
      verification: z.string(),
      /** Null where nobody told. */
      workers: z.number().int().nonnegative().nullable(),
    }),
  ),
  models: z.array(z.object({ name: z.string(), workers: z.number().int(), coefficient: z.number().int().nullable() })),
  path: z.array(pathStep),
})
export type NetworkState = z.infer<typeof networkState>

export const settings = z.object({
  theme: z.enum(['system', 'light', 'dark']),
  language: z.enum(['system', 'en', 'ru']),
  /** Id of the model that chats and the worker use; null = the first that is installed. */
  model: z.string().max(200).nullable(),
  /** Set by earn.pause and earn.resume, kept over restarts. */
  earningPaused: z.boolean(),
  /** No chat may use the Open network. Nothing here can consent to it in advance. */
  openNetworkForbidden: z.boolean(),
  /** Changed by `limits.set`. */
  limits,
  /** Changed by `electricity.set`; absent: none was told. */
  prices: prices.optional(),
  /** Most that downloads of models take together; absent or null: no limit. */
  downloadBytesPerSecond: z.number().int().min(100_000).nullable().optional(),
  /** Asked for files of models before the hub; absent or null: none. Without a password: it is shown, and no way to send one is known. */
  modelMirror: z
    .url({ protocol: /^https?$/ })
    .max(500)
    .refine((text) => URL.parse(text)?.username === '' && URL.parse(text)?.password === '', 'An address with a password.')
    .nullable()
    .optional(),
})
export type Settings = z.infer<typeof settings>

export const appInfo = z.object({
  name: z.string(),
  version: z.string(),
  shell: z.enum(['desktop', 'browser']),
  platform: z.string(),
  dataDir: z.string(),
  nodeVersion: z.string(),
  /** How the vault key of this install is kept. */
  vault: z.string(),
})
export type AppInfo = z.infer<typeof appInfo>

/** The disk finds no room for what the app has to keep in this folder. It goes on by itself when there is some again. */
export const diskFull = z.object({ folder: z.string(), sinceMs: timeMs })

/** Progress of the core's start, shown until every part is ready; and a full disk at any time. */
export const startState = z.object({
  diskFull: diskFull.optional(),
  parts: z.array(
    z.object({
      id: z.enum(['storage', 'hardware', 'model', 'engine', 'chain', 'contracts', 'proxy', 'worker', 'client', 'network']),
      title: z.string(),
      state: z.enum(['waiting', 'working', 'ready', 'failed']),
      detail: z.string().optional(),
      detailWords: words.optional(),
    }),
  ),
})
export type StartState = z.infer<typeof startState>

export const systemCalls = {
  'app.info': { input: z.strictObject({}), output: appInfo },
  /** The model and the pause have calls of their own, which see to what follows from them. */
  'settings.set': {
    input: z.strictObject(
      settings
        .pick({ theme: true, language: true, openNetworkForbidden: true, downloadBytesPerSecond: true, modelMirror: true })
        .partial().shape,
    ),
    output: settings,
  },
  'hardware.facts': { input: z.strictObject({}), output: hardwareFacts },
  /** Starts (or starts again) the download of a catalog model. Progress comes by `models.list`. */
  'models.download': { input: z.strictObject({ id: z.string().max(200) }), output: z.object({}) },
  /** Stops a download and keeps what it has: the next `models.download` goes on with it. */
  'models.pauseDownload': { input: z.strictObject({ id: z.string().max(200) }), output: z.object({}) },
  /** Stops a download and removes what it has. */
  'models.cancelDownload': { input: z.strictObject({ id: z.string().max(200) }), output: z.object({}) },
  /** Adds a GGUF that lies on this computer, after its header was checked. */
  'models.addFile': { input: z.strictObject({ path: z.string().min(1).max(4096) }), output: modelState },
  /** Chooses the model that chats and the worker use. */
  'models.use': { input: z.strictObject({ id: z.string().max(200) }), output: z.object({}) },
  /** Begins to move the models to a folder of this computer, by its whole path; progress comes by `models.moving`. */
  'models.move': { input: z.strictObject({ folder: z.string().min(1).max(4096) }), output: z.object({}) },
  'models.continueMove': { input: z.strictObject({}), output: z.object({}) },
  /** Takes a move back that is not done: the models stay where they are. */
  'models.cancelMove': { input: z.strictObject({}), output: z.object({}) },
  /** Looks again for the folder of the models, or goes on with the app's own one. */
  'models.findFolder': { input: z.strictObject({ own: z.boolean() }), output: z.object({}) },
  'models.storage': { input: z.strictObject({}), output: modelStorage },
  'models.delete': { input: z.strictObject({ id: z.string().max(200) }), output: z.object({}) },
} as const

export const systemStreams = {
  'app.start': { input: z.strictObject({}), event: startState },
  settings: { input: z.strictObject({}), event: settings },
  'hardware.telemetry': { input: z.strictObject({}), event: telemetry },
  'models.moving': { input: z.strictObject({}), event: modelsMove },
  'models.list': { input: z.strictObject({}), event: z.array(modelState) },
  'wallet.state': { input: z.strictObject({}), event: walletState },
  'network.state': { input: z.strictObject({}), event: networkState },
} as const
