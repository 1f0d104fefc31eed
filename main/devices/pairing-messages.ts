import { z } from 'zod'

/** The longest frame of a pairing; OPAQUE's longest message has 427 letters. */
export const mostPairingBytes = 4_096

/** Base64url of an OPAQUE message. */
const opaque = z.string().regex(/^[A-Za-z0-9_-]{1,1024}$/)

/** What a device calls itself. Shown as it is, so nothing in it may turn text around or hide. */
export const deviceName = z
  .string()
  .trim()
  .min(1)
  .max(40)
  .regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u)

/** IPv4 or bracketed IPv6 with a port. */
export const deviceAddress = z
  .string()
  .max(80)
  .regex(/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/)

/** The host's refusal, by a code of device-failure.ts. */
const refused = z.strictObject({ t: z.literal('refused'), code: z.string().max(40) })
const agree = z.strictObject({ t: z.literal('agree') })
const decline = z.strictObject({ t: z.literal('decline') })

/** Pairing, host to guest. */
export const toGuest = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('ready') }),
  z.strictObject({ t: z.literal('answer'), ke2: opaque }),
  z.strictObject({ t: z.literal('proved'), name: deviceName }),
  agree,
  decline,
  z.strictObject({ t: z.literal('paired'), addresses: z.array(deviceAddress).max(8) }),
  refused,
])
export type ToGuest = z.infer<typeof toGuest>

/** Pairing, guest to host. */
export const toHost = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('hello'), ke1: opaque }),
  z.strictObject({ t: z.literal('proof'), ke3: opaque, name: deviceName }),
  agree,
  decline,
])
export type ToHost = z.infer<typeof toHost>
