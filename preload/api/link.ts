import { z } from 'zod'
import { words } from './scalars.ts'

/**
 * Messages on the link between page and core: JSON text over a WebSocket (browser shell) or structured values over Electron IPC.
 * `n` is chosen by the page and names one call or subscription on one link.
 */
const n = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

export const toCore = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('call'), n, name: z.string().max(100), input: z.unknown() }),
  z.strictObject({ t: z.literal('subscribe'), n, name: z.string().max(100), input: z.unknown() }),
  z.strictObject({ t: z.literal('unsubscribe'), n }),
])
export type ToCore = z.infer<typeof toCore>

export const errorBody = z.object({ code: z.string(), message: z.string(), words: words.optional() })

export const toPage = z.discriminatedUnion('t', [
  z.object({ t: z.literal('result'), n, output: z.unknown() }),
  z.object({ t: z.literal('event'), n, event: z.unknown() }),
  z.object({ t: z.literal('end'), n }),
  z.object({ t: z.literal('error'), n, error: errorBody }),
])
export type ToPage = z.infer<typeof toPage>
