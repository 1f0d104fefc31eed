import type { Conversation, ConversationSummary, LevelView, Turn } from '../../preload/api/chat.ts'
import type { EarnState, Payout, ServedRequest } from '../../preload/api/earn.ts'
import type { GatewayState } from '../../preload/api/gateway.ts'
import type { LimitsState } from '../../preload/api/limits.ts'
import type {
  AppInfo,
  HardwareFacts,
  ModelState,
  NetworkState,
  StartState,
  Telemetry,
  WalletState,
} from '../../preload/api/system.ts'

import { earned } from './sample-seals.ts'

/** Sample data for looking at the page without a core. Names, amounts and addresses are made up. It is never part of the built app. */
const minute = 60_000
const day = 86_400_000
const now = Date.now()
const model = 'SmolLM2 135M Instruct'
export const address = {
  user: 'UQBq7c4Dk2vWm9TfZr0eLxA1Hs8Nu3JyPi6GoKdV5bRw2nXt',
  node: 'kQDk3Rm8nVxF1sQ0aZt7yWcLp4Ub6HjEe2Go9KiMd5Xv1Nq8',
  contract: 'EQAf1mC8zT5vWq2Kd7Xn4Lb9Yp6Rs3Hj0Gu5Ea8Io7Kd2Vt4',
  proxy: 'EQCns7bYSp0iTqW5rZ8xKd2Lv6Mb3Nc9Jh1Gf4Ae7UiOpL3k',
  root: 'EQDx9vRk4mTn2bWq8sLp5cZf7yHj3gKu6eAo1iXd0QtVrN4s',
} as const

const answer = `A rolling median is sturdier than a fixed number, because one cold week does not move it.

1. Read the file with **two columns**, time and kwh.
2. Sum each night from \`00:00\` to \`05:00\`.
3. Compare it with the median of the 14 nights before.

\`\`\`python
import pandas as pd

df = pd.read_csv("meter.csv", parse_dates=["time"], index_col="time")
night = df["kwh"].between_time("00:00", "05:00")
per_night = night.resample("D").sum()
usual = per_night.rolling(14).median().shift(1)
print(per_night[per_night > usual * 1.4].round(2))
\`\`\`

| Night | kWh | Usual |
| --- | --- | --- |
| 12 Nov | 4.1 | 2.3 |
| 17 Nov | 3.8 | 2.4 |

More in the [pandas guide](https://pandas.pydata.org/docs/). ![chart](https://example.org/x.png)`

const turn = (id: string, rest: Partial<Turn>): Turn => ({
  id,
  question: 'Write a script that finds the nights when something draws more than usual. The file has two columns, time and kwh.',
  answer,
  status: 'done',
  level: 'computer',
  model,
  createdAtMs: now - 10 * minute,
  firstTokenMs: 420,
  tokensPerSecond: 38.4,
  usage: { promptTokens: 50, cachedTokens: 0, completionTokens: 474, reasoningTokens: 0 },
  ...rest,
})

const summary = (id: string, title: string, ageMs: number, rest: Partial<ConversationSummary> = {}): ConversationSummary => ({
  id,
  title,
  level: 'computer',
  widestLevel: 'computer',
  pinned: false,
  updatedAtMs: now - ageMs,
  ...rest,
})

export const chats: readonly ConversationSummary[] = [
  summary('night', 'Night power draw', minute, { level: 'practice', widestLevel: 'practice' }),
  summary('lease', 'Lease clause 7.2', 4 * minute),
  summary('failed', 'Trip to Tbilisi, 4 days', 6 * minute, { level: 'practice', widestLevel: 'practice' }),
  summary('photos', 'Rename photos by date, and what to do with those that have none', 2 * day),
  summary('blood', 'Blood test, plain words', 3 * day),
  summary('speech', 'Birthday speech draft', 20 * day, { pinned: true }),
  summary('hebrew', 'מה שלומך היום, בעברית 123', 25 * day),
  summary('router', 'Router keeps dropping', 31 * day),
]

const usagePaid = {
  promptTokens: 50,
  cachedTokens: 0,
  completionTokens: 100,
  reasoningTokens: 0,
  adjustedTokens: 850,
  cost: 170_000_000n,
}

const turnsOf: Record<string, readonly Turn[]> = {
  night: [
    turn('t1', {
      question: 'Are hourly readings enough?',
      answer: 'Yes. Hourly exports are enough: a fridge that never rests shows up as a step above it.',
      tokensPerSecond: 61,
    }),
    turn('t2', { level: 'practice', usage: usagePaid }),
    turn('t3', {
      level: 'practice',
      leftOut: 2,
      question: 'And how do I print only the last one?',
      answer: 'Take the last row of the result with',
      status: 'stopped',
      stop: 'ended',
      usage: { ...usagePaid, completionTokens: 12, adjustedTokens: 146, cost: 29_200_000n },
    }),
  ],
  lease: [turn('l1', {})],
  hebrew: [
    turn('h1', {
      question: 'מה שלומך היום? 123 TON',
      answer: 'שלום, אני בסדר.\n\n- אחת\n- שתיים (2)\n\nAnd English: \u202Ereversed\u202C `rm \u202E-x`.',
    }),
  ],
  failed: [
    turn('f1', {
      level: 'practice',
      answer: 'Day 1: start at',
      status: 'failed',
      error: {
        code: 'above-credit',
        message:
          'The proxy has to reserve 6.1 TON for a question of this length, and the stake lets it reserve 5 TON. Shorten the text, or start a new chat.',
        money: 'You paid nothing.',
        words: { code: 'above-credit', values: { neededNano: '6100000000', mostNano: '5000000000' } },
        moneyWords: { code: 'paid-nothing' },
        retryable: true,
        detail: 'above-credit: 651',
      },
    }),
  ],
}

export const conversation = (id: string): Conversation | null => {
  const found = chats.find((chat) => chat.id === id)
  return found ? { ...found, turns: [...(turnsOf[id] ?? [turn('x', { question: found.title })])] } : null
}

export const levels: readonly LevelView[] = [
  { level: 'computer', state: 'ready', model, seal: earned },
  { level: 'practice', state: 'ready', model, estimate: 170_000_000n, seal: earned },
  { level: 'devices', state: 'unavailable', reason: 'No device is paired.', seal: { phase: 'idle' } },
  { level: 'attested', state: 'unavailable', reason: 'No attested network is configured.', seal: { phase: 'idle' } },
  { level: 'open', state: 'unavailable', reason: 'No open network is configured.', seal: { phase: 'idle' } },
]

const request = (id: string, ageMs: number, rest: Partial<ServedRequest>): ServedRequest => ({
  id,
  startedAtMs: now - ageMs,
  model,
  result: 'answered',
  promptTokens: 50,
  completionTokens: 100,
  adjustedTokens: 850,
  tookMs: 3_200,
  earned: 127_500_000n,
  money: 'settled',
  ...rest,
})

const payout = (id: string, ageMs: number, rest: Partial<Payout>): Payout => ({
  id,
  startedAtMs: now - ageMs,
  state: 'settled',
  adjustedTokens: 2_402,
  expected: 360_300_000n,
  ownerReceived: 360_300_000n,
  nodeWalletChange: -8_412_345n,
  transactionHash: '7f3ab91c02d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5cc91e',
  ...rest,
})

const hour = 3_600_000
/** 1.31 kWh at 0.17 USD, and what the coins of a main network would be worth at 1.58 USD. */
const use = (hours: number) => ({
  ...{ servingMs: hours * hour, measuredMs: hours * hour, drawnJ: hours * 214 * 3_600, restJ: hours * 21 * 3_600 },
  ...{ socketJ: (hours * 193 * 3_600) / 0.9, costMicros: Math.ceil((hours * 193 * 170) / 0.9) },
})
const power = { currency: 'USD', perKwhMicros: 170_000 } as const
/** Of a main network, where coins are worth something; or with test coins, which are not. */
export const electricity = (worth: [number, number]): EarnState['electricity'] => {
  const [today, week] = [use(6.1), use(40)]
  return {
    prices: { power, ton: { micros: 1_580_000, statedAtMs: now - 2 * day }, pauseWhenNotPaying: false },
    source: 'cards',
    today: { ...today, worthMicros: worth[0], netMicros: worth[0] - today.costMicros },
    last7Days: { ...week, worthMicros: worth[1], netMicros: worth[1] - week.costMicros },
  }
}
const unpriced = {
  ...use(6.1),
  measuredMs: 0,
  drawnJ: 0,
  restJ: 0,
  socketJ: 0,
  costMicros: null,
  worthMicros: 0,
  netMicros: null,
}

export const earn: EarnState = {
  status: 'earning',
  title: 'Earning',
  line: `Serving ${model} on the CPU, test coins. 1 request now.`,
  tile: 'Earning',
  network: 'local',
  running: 1,
  model,
  today: 412_345_678n,
  last7Days: 2_684_100_000n,
  lifetime: 31_072_400_000n,
  counted: 127_500_000n,
  pending: 1_204_000_000n,
  settled: 29_868_400_000n,
  settleable: 1_204_000_000n,
  settleFeeEstimate: 9_800_000n,
  electricity: {
    prices: { power: null, ton: null, pauseWhenNotPaying: false },
    source: 'processor',
    today: unpriced,
    last7Days: unpriced,
  },
  todayByHalfHour: Array.from({ length: 48 }, (_, index) =>
    index < new Date().getHours() * 2 && index % 7 !== 3 ? BigInt(4_000_000 + ((index * 7_919) % 13) * 1_000_000) : 0n,
  ),
  requests: [
    request('r1', 4_000, {
      result: 'answering',
      promptTokens: 612,
      completionTokens: 218,
      adjustedTokens: 2_356,
      tookMs: undefined,
      money: undefined,
    } as Partial<ServedRequest>),
    request('r2', 30_000, {
      money: 'counted',
      promptTokens: 1_904,
      completionTokens: 486,
      adjustedTokens: 5_792,
      earned: 868_800_000n,
    }),
    request('r3', 90_000, { money: 'pending', tookMs: 9_800 }),
    request('r4', 4 * minute, {
      money: 'pending',
      result: 'cancelled',
      completionTokens: 12,
      adjustedTokens: 146,
      earned: 21_900_000n,
      tookMs: 1_400,
    }),
    ...Array.from({ length: 8 }, (_, index) => request(`s${index}`, (10 + index * 7) * minute, {})),
    request('r9', 120 * minute, { result: 'failed', earned: 0n, money: undefined } as Partial<ServedRequest>),
  ],
  payouts: [
    payout('p1', 2 * minute, {
      state: 'confirming',
      ownerReceived: undefined,
      nodeWalletChange: undefined,
      transactionHash: undefined,
    } as Partial<Payout>),
    payout('p2', day, {}),
    payout('p3', 8 * day, { expected: 2_041_806_000n, ownerReceived: 2_041_806_000n }),
  ],
  workerFeePerToken: 150_000n,
  ownerAddress: address.user,
  answered: 118,
  cancelled: 3,
  failed: 1,
}

export const facts: HardwareFacts = {
  cpu: { name: 'AMD EPYC 7B13', vendor: 'AMD', physicalCores: 1, threads: 2, speedGHz: 2.45 },
  memoryBytes: 8_345_000_000,
  gpus: [],
  os: { platform: 'linux', name: 'Debian GNU/Linux', version: '12', arch: 'x64' },
  tee: {
    kind: 'none',
    canQuote: false,
    sentence: 'This computer has no sealed hardware (Intel TDX or AMD SEV-SNP), so it cannot join an attested network.',
  },
}

export const telemetry = (step: number): Telemetry => ({
  atMs: Date.now(),
  cpuPercent: 62 + (step % 5) * 3,
  memoryUsedBytes: 3_412_000_000 + step * 1_000_000,
  cpuTemperatureC: null,
  gpus: [],
})

export const models: readonly ModelState[] = [
  {
    id: 'smol',
    name: model,
    licence: 'Apache-2.0',
    parameters: '135M',
    quantization: 'Q4_1',
    sizeBytes: 94_300_000,
    contextTokens: 8_192,
    origin: 'catalog',
    status: 'installed',
    sha256: '9c41e07b5d2f8a3c6e1b04d7f9a25c8e3b6d1f0a4c7e92b5d8f1a3e6b10f7c2a',
    path: '/home/user/.local/share/cocoon/models/smollm2-135m-instruct-q4_1.gguf',
    loaded: true,
    tokensPerSecond: 38.4,
    fit: {
      word: 'well',
      device: 'cpu',
      deviceBytes: 16e9,
      weightsBytes: 98e6,
      contextBytes: 0.77e9,
      needBytes: 0.868e9,
      contextTokens: 8192,
      split: null,
      rough: false,
    },
  },
  {
    id: 'qwen',
    name: 'Qwen3 0.6B',
    licence: 'Apache-2.0',
    parameters: '0.6B',
    quantization: 'Q8_0',
    sizeBytes: 639_000_000,
    contextTokens: 32_768,
    origin: 'catalog',
    status: 'downloading',
    progress: { receivedBytes: 301_000_000, totalBytes: 639_000_000, bytesPerSecond: 4_100_000, source: 'huggingface.co' },
    sha256: null,
    path: null,
    loaded: false,
  },
  {
    id: 'gemma',
    name: 'Gemma 3 1B',
    licence: 'Gemma',
    parameters: '1B',
    quantization: 'Q4_K_M',
    sizeBytes: 806_000_000,
    contextTokens: 32_768,
    origin: 'catalog',
    status: 'absent',
    problem: 'No source answered: the model hub could not be reached within 5 seconds, and no other source has this model.',
    sha256: null,
    path: null,
    fit: {
      word: 'well',
      device: 'cpu',
      deviceBytes: 16e9,
      weightsBytes: 0.75e9,
      contextBytes: 1.17e9,
      needBytes: 1.92e9,
      contextTokens: 8192,
      split: null,
      rough: true,
    },
    loaded: false,
  },
  {
    id: 'own',
    name: 'my-finetune.gguf',
    licence: null,
    parameters: '360M',
    quantization: 'Q5_K_M',
    sizeBytes: 271_000_000,
    contextTokens: 8_192,
    origin: 'own',
    status: 'broken',
    problem: 'The file is shorter than its header says. Copy it again, or remove it.',
    sha256: '51b8f3a2c96e04d7be9913a8',
    path: '/home/user/models/my-finetune.gguf',
    own: { isInFolder: false },
    loaded: false,
  },
]

export const wallet: WalletState = {
  network: 'local',
  status: 'ready',
  user: { address: address.user, balance: 94_218_400_000n },
  node: { address: address.node, balance: 9_983_170_000n },
  chat: {
    contract: address.contract,
    balance: 5_000_000_000n,
    stake: 5_000_000_000n,
    withdrawable: 0n,
    used: 170_000_000n,
    pendingCharge: 170_000_000n,
  },
  transactions: [
    {
      id: 'a',
      atMs: now - 3 * minute,
      direction: 'in',
      title: 'Payout',
      counterparty: address.contract,
      amount: 360_300_000n,
      fee: 0n,
    },
    {
      id: 'b',
      atMs: now - 40 * minute,
      direction: 'out',
      title: 'Top up of the chat balance',
      counterparty: address.contract,
      amount: 5_000_000_000n,
      fee: 4_120_000n,
    },
    { id: 'c', atMs: now - 41 * minute, direction: 'in', title: 'Test coins', amount: 100_000_000_000n, fee: 0n },
  ],
  readAtMs: now - 3_000,
}

export const network: NetworkState = {
  kind: 'local',
  name: null,
  chain: 'local',
  readOnly: false,
  status: 'ready',
  root: {
    address: address.root,
    version: 1,
    paramsVersion: 1,
    structVersion: 4,
    isTest: true,
    pricePerToken: 200_000n,
    workerFeePerToken: 150_000n,
    multipliers: { prompt: 10_000, cached: 1000, completion: 80_000, reasoning: 80_000 },
    minClientStake: 5_000_000_000n,
    minProxyStake: 1_000_000_000n,
    readAtMs: now - 18_000,
  },
  endpoint: 'http://127.0.0.1:41213/api/v2',
  others: { same: [], silent: [] },
  proxies: [
    {
      contract: address.proxy,
      clientPort: '127.0.0.1:41801',
      workerPort: '127.0.0.1:41802',
      state: 'connected',
      verification: 'Encrypted with TLS 1.3. Not attested: this network asks for no proof.',
      workers: 1,
    },
  ],
  models: [{ name: 'HuggingFaceTB/SmolLM2-135M-Instruct', workers: 1, coefficient: 1_000 }],
  path: [
    { id: 'connection', title: 'Connection', state: 'done', detail: 'Local' },
    { id: 'proxy', title: 'Proxy', state: 'done', detail: '127.0.0.1:41802' },
    { id: 'registered', title: 'Registered', state: 'done', detail: '2 min ago' },
    { id: 'model', title: 'Model loaded', state: 'doing', detail: '45%' },
    { id: 'answering', title: 'Answering', state: 'ahead', detail: '' },
  ],
}

export const info: AppInfo = {
  name: 'Cocoon',
  version: '0.1.0',
  shell: 'browser',
  platform: 'linux',
  dataDir: '/home/user/.local/share/cocoon',
  nodeVersion: '24.21.0',
  vault: 'A key file beside the data, readable by you only.',
}

const part = (id: StartState['parts'][number]['id'], state: StartState['parts'][number]['state'], detail?: string) => ({
  id,
  title: id,
  state,
  ...(detail === undefined ? {} : { detail }),
})

export const started: StartState = { parts: [part('storage', 'ready'), part('client', 'ready')] }
export const starting: StartState = {
  parts: [
    part('storage', 'ready'),
    part('hardware', 'ready', 'AMD EPYC 7B13'),
    part('model', 'working', '301 of 639 MB'),
    part('engine', 'waiting'),
    part('chain', 'ready'),
    part('contracts', 'working', 'Deploying the proxy contract'),
    part('proxy', 'waiting'),
    part('worker', 'waiting'),
    part('client', 'waiting'),
  ],
}

const used = { requests: 214, promptTokens: 48_210, completionTokens: 21_903, spent: 1_284_600_000n, unsure: 0n, reserved: 0n }

export const gateway: GatewayState = {
  enabled: true,
  port: 4811,
  status: 'listening',
  url: 'http://127.0.0.1:4811/v1',
  levels: [
    { level: 'computer', needsConsent: false },
    { level: 'practice', needsConsent: true },
  ],
  models: ['local/SmolLM2-135M-Instruct-q4_1', 'network/SmolLM2-135M-Instruct-q4_1'],
  keys: [
    {
      id: 'editor',
      name: 'Editor',
      hint: 'x7Qa',
      level: 'practice',
      models: null,
      origins: [],
      dailyLimit: 10_000_000_000n,
      createdAtMs: now - 3 * day,
      lastUsedAtMs: now - 2 * minute,
      consentedAtMs: now - 3 * day,
      consentedLevel: 'practice',
      today: used,
    },
  ],
  running: 1,
  recent: [
    {
      id: 'req_1',
      atMs: now - 2 * minute,
      keyName: 'Editor',
      endpoint: 'chat',
      model: 'network/SmolLM2-135M-Instruct-q4_1',
      level: 'practice',
      status: 200,
      durationMs: 2_140,
      promptTokens: 812,
      completionTokens: 96,
      cost: 316_000_000n,
    },
  ],
}

export const limits: LimitsState = {
  gpuTemperatureC: 61,
  gpu: { known: true, program: 'Doom', percent: 92 },
  idleMs: 12_000,
  locked: false,
  onBattery: null,
  metered: true,
  pausing: ['game'],
  allowed: ['metered'],
  practice: true,
  offered: false,
  servedBy: null,
  engine: 'yielded',
}
