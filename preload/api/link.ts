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

/**
 * The browser shell's WebSocket names this subprotocol, and as a second one the key of the page: the one place where a page can put a secret before the
 * connection stands. The core answers with the first.
 */
export const linkProtocol = 'cocoon-link'
const keyPrefix = 'cocoon-page-key.'

/** What a page offers as subprotocols (RFC 6455, section 1.9). */
export const linkProtocols = (pageKey: string | undefined): string[] =>
  pageKey === undefined ? [linkProtocol] : [linkProtocol, keyPrefix + pageKey]

/** The page's key among offered subprotocols; undefined where none is offered. */
export const pageKeyAmong = (protocols: Iterable<string>): string | undefined =>
  [...protocols].find((one) => one.startsWith(keyPrefix))?.slice(keyPrefix.length)

/** Address of the page that brings it its key. What follows the # is sent to no server. */
export const pageWithKey = (pageKey: string): string => `/#page-key=${pageKey}`

/** The key in a page's `location.hash`; undefined where it names none. */
export const pageKeyInHash = (hash: string): string | undefined => /^#page-key=([A-Za-z0-9_-]{43})$/.exec(hash)?.[1]
