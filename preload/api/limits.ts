import { z } from 'zod'

/** What pauses serving (ui.md §5.2), in the order of its table: of several the first is the title. */
export const pauseReasons = [
  'thermal',
  'game',
  'other-app',
  'user-active',
  'battery',
  'metered',
  'schedule',
  'not-paying',
] as const
export const pauseReason = z.enum(pauseReasons)
export type PauseReason = z.infer<typeof pauseReason>

/** Hours of a week. */
export const weekHours = 168

/** Hour of the week as the local clock shows it, from Monday 0 o'clock. */
export const hourOfWeek = (at: Date): number => ((at.getDay() + 6) % 7) * 24 + at.getHours()

/** When this computer serves and when its engine holds memory, by its owner's will (ui.md §5.6, Earning limits). */
export const limits = z.object({
  /** The card pauses here and goes on 8 °C below. */
  temperatureC: z.number().int().min(60).max(95),
  forGames: z.boolean(),
  forOtherApps: z.boolean(),
  whileUsed: z.boolean(),
  onBattery: z.boolean(),
  onMetered: z.boolean(),
  /** From Monday 0 o'clock, local time: true = may earn. Null: always. */
  schedule: z.array(z.boolean()).length(weekHours).nullable(),
  /**
   * Whether the rules that only concern earning hold on the practice network too (ui.md §13.2: off). Games and other programs on the graphics card
   * are given its memory on every network.
   */
  onPractice: z.boolean(),
  /** How long running answers may go on when another program needs the card. */
  graceMs: z.number().int().min(0).max(60_000),
  /** Own questions bring the model back while another program has the card, without being asked each time. */
  ownMeanwhile: z.boolean(),
  /** The model gives its memory back when nothing was asked for so long and it is not offered to a network; 0: never. */
  idleUnloadMinutes: z.number().int().min(0).max(1_440),
})
export type Limits = z.infer<typeof limits>

/** Of a new install. */
export const defaultLimits: Limits = {
  temperatureC: 80,
  forGames: true,
  forOtherApps: true,
  whileUsed: false,
  onBattery: true,
  onMetered: true,
  schedule: null,
  onPractice: false,
  graceMs: 500,
  ownMeanwhile: false,
  idleUnloadMinutes: 10,
}

/** What the computer tells of itself now; null is what it does not tell. */
export const limitsState = z.object({
  gpuTemperatureC: z.number().nullable(),
  /** The busiest program of others on the cards; `known` false: the cards do not tell of programs. */
  gpu: z.object({ known: z.boolean(), program: z.string().nullable(), percent: z.number().nullable() }),
  idleMs: z.number().nonnegative().nullable(),
  locked: z.boolean().nullable(),
  onBattery: z.boolean().nullable(),
  metered: z.boolean().nullable(),
  /** What pauses serving now. */
  pausing: z.array(pauseReason),
  /** What would, but was allowed by "Earn anyway" until it ends. */
  allowed: z.array(pauseReason),
  /** The practice network is open: see `onPractice`. */
  practice: z.boolean(),
  /** The node offers a model of this app's engine, which therefore stays loaded. */
  offered: z.boolean(),
  /** Name of the engine of another program that serves instead; what it holds of the card is not this app's to free. */
  servedBy: z.string().nullable(),
  engine: z.enum(['none', 'coming', 'ready', 'asleep', 'yielded', 'failed']),
})
export type LimitsState = z.infer<typeof limitsState>

export const limitsCalls = {
  /** Changes some limits; effective at once. Absent fields stay. */
  'limits.set': { input: z.strictObject(limits.partial().shape), output: limits },
  /** Goes on serving though what pauses it now lasts, until that ends. Battery, metered connection and heat are not passed over. */
  'earn.anyway': { input: z.strictObject({}), output: z.object({}) },
  /** Lets own questions bring the model back while another program has the graphics card, until that program ends. */
  'engine.useAnyway': { input: z.strictObject({}), output: z.object({}) },
  /** Loads the chosen model again that the engine gave up (`stopped` of the model); nothing happens otherwise. */
  'engine.loadAgain': { input: z.strictObject({}), output: z.object({}) },
} as const

export const limitsStreams = {
  'limits.state': { input: z.strictObject({}), event: limitsState },
} as const
