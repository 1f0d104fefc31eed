import { z } from 'zod'

/** Messages between `LocalChain` and its child process, over Node's IPC channel. */
export const startOrder = z.strictObject({
  type: z.literal('start'),
  /** SQLite file; made when it is not there. */
  file: z.string().min(1),
  /** 0: any free port. */
  port: z.number().int().min(0).max(65_535),
  /** False: `port` or nothing, because clients already know it. */
  otherPortAllowed: z.boolean(),
  /** Newest transactions kept per account. */
  historyPerAccount: z.number().int().min(10),
  /** Coins that exist from the first start on; ignored when the chain exists already. */
  genesis: z.array(z.strictObject({ address: z.string(), balanceNano: z.string().regex(/^\d+$/) })),
})
export type StartOrder = z.infer<typeof startOrder>

export const childReport = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), port: z.number().int(), created: z.boolean(), tookMs: z.number() }),
  z.strictObject({ type: z.literal('failed'), code: z.string(), message: z.string(), advice: z.string().optional() }),
])
export type ChildReport = z.infer<typeof childReport>
