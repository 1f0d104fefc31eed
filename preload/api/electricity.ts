import { z } from 'zod'
import { timeMs } from './scalars.ts'

/** Money of the world, whole millionths of its unit: 0.17 USD are 170 000. */
const micros = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const price = z.number().int().min(1).max(1e12)

/** Currencies to choose from, by ISO 4217. None is taken by itself. */
export const currencies = [
  ...[
    'AED',
    'ARS',
    'AUD',
    'BRL',
    'CAD',
    'CHF',
    'CNY',
    'CZK',
    'DKK',
    'EUR',
    'GBP',
    'GEL',
    'HKD',
    'HUF',
    'IDR',
    'ILS',
    'INR',
    'JPY',
    'KRW',
  ],
  ...[
    'KZT',
    'MXN',
    'NGN',
    'NOK',
    'NZD',
    'PHP',
    'PLN',
    'RON',
    'RSD',
    'RUB',
    'SAR',
    'SEK',
    'SGD',
    'THB',
    'TRY',
    'TWD',
    'UAH',
    'USD',
    'UZS',
  ],
  ...['VND', 'ZAR'],
] as const
const currency = z.enum(currencies)
export type Currency = z.infer<typeof currency>

const powerPrice = z.object({ currency, perKwhMicros: price })

/** What the owner says of prices; the app asks nobody for them, and assumes none. */
export const prices = z.object({
  power: powerPrice.nullable(),
  /** What one TON is worth to the owner, in the currency of the power price, and since when. */
  ton: z.object({ micros: price, statedAtMs: timeMs }).nullable(),
  /** Pauses while the last 3 hours cost more than they earned. */
  pauseWhenNotPaying: z.boolean(),
})
export type Prices = z.infer<typeof prices>

/** Whether coins of a chain are worth nothing, whatever the owner says of a TON. */
export const hasTestCoins = (chain: 'local' | 'testnet' | 'mainnet'): boolean => chain !== 'mainnet'

export const noPrices: Prices = { power: null, ton: null, pauseWhenNotPaying: false }

/**
 * Whether the power of what answers requests is measured: `cards` it is; `processor`: it answers, and tells no power; `elsewhere`: an engine on another
 * computer answers; `silent`: the card tells no power; `rest`: what the card draws at rest was not seen yet; `nothing`: nothing answers.
 */
export const powerSource = z.enum(['cards', 'processor', 'elsewhere', 'silent', 'rest', 'nothing'])
export type PowerSource = z.infer<typeof powerSource>

/** What answering requests of others took and brought in a time, and what of it is known. */
export const electricityUse = z.object({
  /** So long at least one request was answered, and of it so long its power was measured. */
  servingMs: z.number().nonnegative(),
  measuredMs: z.number().nonnegative(),
  /** Joules (W·s) while it was measured: drawn by the cards, and what they draw at rest in the same time. */
  drawnJ: z.number().nonnegative(),
  restJ: z.number().nonnegative(),
  /** Joules from the socket, of the measured time. */
  socketJ: z.number().nonnegative(),
  /** Null without a power price, and while none of the time was measured; at least so much where `measuredMs` is less than `servingMs`. */
  costMicros: micros.nullable(),
  /** Of what was earned, pending and settled. Test coins are worth nothing; of others null until the owner says what a TON is worth. */
  worthMicros: micros.nullable(),
  /** `worthMicros - costMicros`; null while either is not known, at most so much where the cost is at least so much. */
  netMicros: z.number().int().nullable(),
})
export type ElectricityUse = z.infer<typeof electricityUse>

export const electricity = z.object({
  prices,
  source: powerSource,
  today: electricityUse,
  last7Days: electricityUse,
})
export type Electricity = z.infer<typeof electricity>

export const electricityCalls = {
  /** Changes what is given; null forgets a price. A new currency forgets what a TON was worth in the old one, unless it is given along. */
  'electricity.set': {
    input: z.strictObject({
      power: powerPrice.nullable().optional(),
      tonMicros: price.nullable().optional(),
      pauseWhenNotPaying: z.boolean().optional(),
    }),
    output: prices,
  },
} as const
