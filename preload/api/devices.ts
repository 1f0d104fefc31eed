import { z } from 'zod'
import { id, timeMs, words } from './scalars.ts'

/** `guest` may use this computer's engine; this computer uses the engine of a `host`. */
export const deviceRole = z.enum(['guest', 'host'])
export type DeviceRole = z.infer<typeof deviceRole>

const deviceName = z.string().max(40)
/** Six words, the short form of a device's key that people compare. */
const fingerprint = z.string()

export const pairedDevice = z.object({
  id,
  role: deviceRole,
  name: deviceName,
  fingerprint,
  pairedAtMs: timeMs,
  lastSeenMs: timeMs.nullable(),
  /** A connection stands right now. */
  connected: z.boolean(),
  /** Of a host: the one that chats at level "Your devices" go to. */
  chosen: z.boolean(),
  /** Of the chosen host: why there is no connection. */
  problem: z.string().optional(),
  problemWords: words.optional(),
})
export type PairedDevice = z.infer<typeof pairedDevice>

export const devicesState = z.object({
  name: deviceName,
  fingerprint,
  /** Paired devices may use this computer's engine. Only then it listens. */
  sharing: z.boolean(),
  /** Where it listens; empty while it does not. */
  addresses: z.array(z.string()),
  /** The code on show; absent without one. */
  code: z
    .object({
      words: z.string(),
      /** Address and words in one text, as the QR code holds it. */
      text: z.string(),
      /** The QR code row by row: 1 is dark. */
      qr: z.array(z.string().regex(/^[01]+$/)),
      expiresAtMs: timeMs,
      triesLeft: z.number().int().nonnegative(),
    })
    .optional(),
  /** This device is on its way to a host, until there is a request or an outcome. */
  joining: z.boolean(),
  /** The other device has proven the words; the person decides. `waiting`: this side has agreed. */
  request: z.object({ id, role: deviceRole, name: deviceName, fingerprint, state: z.enum(['asking', 'waiting']) }).optional(),
  /** How the last pairing ended. */
  outcome: z
    .discriminatedUnion('result', [
      z.object({ result: z.literal('paired'), role: deviceRole, name: deviceName }),
      z.object({ result: z.literal('failed'), reason: z.string(), reasonWords: words.optional() }),
    ])
    .optional(),
  /** Without those that were removed; the last paired first. */
  devices: z.array(pairedDevice),
})
export type DevicesState = z.infer<typeof devicesState>

const done = z.object({})

export const devicesCalls = {
  'devices.rename': { input: z.strictObject({ name: z.string().trim().min(1).max(40) }), output: done },
  /** Lets paired devices use this computer's engine, or ends that; then nothing listens. */
  'devices.share': { input: z.strictObject({ on: z.boolean() }), output: done },
  /** Shows a new code for one device; shares the engine if it was not shared yet. */
  'devices.openCode': { input: z.strictObject({}), output: done },
  'devices.closeCode': { input: z.strictObject({}), output: done },
  /** Starts to pair with a host. `address`: as it is shown there, or the whole text of the QR code, which holds the words too. */
  'devices.join': {
    input: z.strictObject({ address: z.string().trim().min(1).max(600), words: z.string().max(200) }),
    output: done,
  },
  /** The person's answer to the request with this id, and to no later one. */
  'devices.confirm': { input: z.strictObject({ request: id, accept: z.boolean() }), output: done },
  'devices.choose': { input: z.strictObject({ id }), output: done },
  'devices.remove': { input: z.strictObject({ id }), output: done },
} as const

export const devicesStreams = {
  'devices.state': { input: z.strictObject({}), event: devicesState },
} as const
