import type { z } from 'zod'
import { pause } from '../base/pause.ts'
import { type DeviceCode, deviceFailure, isDeviceCode } from './device-failure.ts'
import type { FrameSocket } from './frame-socket.ts'
import type { PairingCode } from './pairing-code.ts'
import { type ToGuest, type ToHost, toGuest, toHost } from './pairing-messages.ts'
import { answerHello, beginHello, type Parties } from './pake.ts'

/** The other device, once it has proven that it knows the words. */
export interface ProvenPeer {
  readonly key: Uint8Array
  readonly name: string
}

export interface PairingTimes {
  /** For each message that needs no person. */
  readonly stepMs: number
  /** For both persons to look at name and fingerprint. */
  readonly confirmMs: number
}

export const pairingTimes: PairingTimes = { stepMs: 10_000, confirmMs: 120_000 }

/** Asks the person at this device. Resolves with the answer, or false when `signal` aborts: the other side is gone. */
export type Confirm = (peer: ProvenPeer, signal: AbortSignal) => Promise<boolean>

interface Side {
  readonly frames: FrameSocket
  readonly parties: Parties
  readonly name: string
  readonly times: PairingTimes
  readonly confirm: Confirm
}

/**
 * The host's side of docs/device-link.md §3, from the first message to the agreement of both persons.
 * @param keep stores the guest; before the guest is told that the two are paired
 * @throws Failure, after the guest was told its code
 */
export async function pairAsHost(
  side: Side & { readonly code: PairingCode; readonly addresses: readonly string[]; keep(guest: ProvenPeer): void },
): Promise<ProvenPeer> {
  const { code, frames, parties, times } = side
  const send = (message: ToGuest): Promise<void> => frames.send(message)
  try {
    await send({ t: 'ready' })
    const { ke1 } = await next(frames, toHost, 'hello', times.stepMs)
    code.try()
    try {
      const { answer, check } = await answerHello(ke1, code.words, parties)
      await send({ t: 'answer', ke2: answer })
      const { ke3, name } = await next(frames, toHost, 'proof', times.stepMs)
      check(ke3)
      const over = code.over
      if (over !== undefined) throw deviceFailure(over)
      code.end('pairing-used')
      await send({ t: 'proved', name: side.name })
      const guest = { key: parties.guestKey, name }
      await agreed(side, guest, () => next(frames, toHost, 'agree', times.confirmMs + times.stepMs))
      side.keep(guest)
      await frames.finish({ t: 'paired', addresses: [...side.addresses] } satisfies ToGuest)
      return guest
    } catch (thrown) {
      code.failed()
      throw thrown
    }
  } catch (thrown) {
    await tellRefusal(frames, thrown)
    throw thrown
  }
}

/**
 * The guest's side.
 * @throws Failure; nothing was kept then
 */
export async function pairAsGuest(side: Side & { readonly words: string }): Promise<{ host: ProvenPeer; addresses: string[] }> {
  const { frames, parties, times } = side
  const send = (message: ToHost): Promise<void> => frames.send(message)
  try {
    await next(frames, toGuest, 'ready', times.stepMs)
    const { hello, proofFor } = await beginHello(side.words, parties)
    await send({ t: 'hello', ke1: hello })
    const { ke2 } = await next(frames, toGuest, 'answer', times.stepMs)
    // Only a host that knows the words gets further; it alone learns this device's name.
    const ke3 = proofFor(ke2)
    await send({ t: 'proof', ke3, name: side.name })
    const { name } = await next(frames, toGuest, 'proved', times.stepMs)
    const host = { key: parties.hostKey, name }
    await agreed(side, host, () => next(frames, toGuest, 'agree', times.confirmMs + times.stepMs))
    const { addresses } = await next(frames, toGuest, 'paired', times.stepMs)
    return { host, addresses }
  } catch (thrown) {
    frames.close()
    throw thrown
  }
}

/** Both persons at once: whoever declines, or whose device goes away, ends it for both. */
async function agreed({ confirm, frames, times }: Side, peer: ProvenPeer, theirs: () => Promise<unknown>): Promise<void> {
  const control = new AbortController()
  const late = pause(times.confirmMs, control.signal).then(() => {
    if (!control.signal.aborted) throw deviceFailure('pairing-timeout')
  })
  const ours = confirm(peer, control.signal).then(async (yes) => {
    if (control.signal.aborted) return
    await frames.send(yes ? { t: 'agree' } : { t: 'decline' })
    if (!yes) throw deviceFailure('pairing-declined')
  })
  const both = Promise.all([ours, theirs()])
  late.catch(() => undefined)
  both.catch(() => undefined)
  try {
    await Promise.race([both, late.then(() => both)])
  } finally {
    control.abort()
  }
}

/**
 * The next message, which has to be this one.
 * @throws Failure of the other side's refusal, `pairing-declined`, `device-malformed`, `device-silent`, `pairing-timeout`
 */
async function next<Schema extends z.ZodType<{ t: string }>, T extends z.output<Schema>['t']>(
  frames: FrameSocket,
  schema: Schema,
  wanted: T,
  timeoutMs: number,
): Promise<Extract<z.output<Schema>, { t: T }>> {
  const raw = await frames.read(timeoutMs)
  if (raw === undefined) throw deviceFailure('device-silent')
  const parsed = schema.safeParse(raw)
  if (!parsed.success) throw deviceFailure('device-malformed')
  const message: z.output<Schema> = parsed.data
  if (message.t === wanted) return message as Extract<z.output<Schema>, { t: T }>
  if (message.t === 'decline') throw deviceFailure('pairing-declined')
  throw refusalIn(message) ?? deviceFailure('device-malformed')
}

/** The failure that a refusal names; undefined for any other message. */
export function refusalIn(message: unknown): Error | undefined {
  if (typeof message !== 'object' || message === null || !('t' in message) || message.t !== 'refused') return undefined
  const code = 'code' in message && typeof message.code === 'string' ? message.code : ''
  return deviceFailure(isDeviceCode(code) ? code : 'device-malformed')
}

/** Tells the other side why, in a code; its own words for it are its own. */
export async function tellRefusal(frames: FrameSocket, thrown: unknown): Promise<void> {
  const code: DeviceCode | undefined =
    thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && isDeviceCode(thrown.code)
      ? thrown.code
      : undefined
  await frames.finish({ t: 'refused', code: code ?? 'device-malformed' } satisfies ToGuest)
}
