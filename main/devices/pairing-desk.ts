import { randomUUID } from 'node:crypto'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { DeviceBook, DeviceRole } from './device-book.ts'
import { type DeviceCode, deviceFailure } from './device-failure.ts'
import { dialDevice } from './dial-device.ts'
import type { FrameSocket } from './frame-socket.ts'
import { codeLifetimeMs, PairingCode } from './pairing-code.ts'
import { type Confirm, type PairingTimes, type ProvenPeer, pairAsGuest, pairAsHost, tellRefusal } from './pairing-exchange.ts'
import type { Parties } from './pake.ts'
import { bindingOf, pairingProtocol } from './peer-key.ts'

export interface DeskState {
  readonly code: PairingCode | undefined
  readonly joining: boolean
  readonly request: PairingRequest | undefined
  readonly outcome:
    | { readonly result: 'paired'; readonly role: DeviceRole; readonly name: string }
    | { readonly result: 'failed'; readonly failure: Failure }
    | undefined
}

/** `id`: what the person's answer repeats, so that it is never taken for an answer to another device. */
export interface PairingRequest {
  readonly id: string
  readonly role: DeviceRole
  readonly peer: ProvenPeer
  readonly state: 'asking' | 'waiting'
}

export interface DeskOptions {
  readonly identity: Identity
  readonly book: DeviceBook
  readonly times: PairingTimes
  readonly codeLifetimeMs?: number
  readonly dialMs: number
  readonly logger: Logger
  /** Unix time in ms. */
  readonly now: () => number
}

const newsMs = 120_000
const idle: DeskState = { code: undefined, joining: false, request: undefined, outcome: undefined }

/** Pairs one device at a time, in either role. */
export class PairingDesk {
  readonly #options: DeskOptions
  readonly #state = new Signal<DeskState>(idle)
  #codeTimer: NodeJS.Timeout | undefined
  /** Why the last code is no more. */
  #lastCode: DeviceCode = 'pairing-closed'
  #busy = false
  #newsTimer: NodeJS.Timeout | undefined
  #join: AbortController | undefined
  #answer: ((yes: boolean) => void) | undefined

  constructor(options: DeskOptions) {
    this.#options = options
  }

  get state(): Watchable<DeskState> {
    return this.#state
  }

  /** Shows a new code; an older one counts no more. */
  open(): PairingCode {
    this.close()
    const { now, codeLifetimeMs: lifetimeMs = codeLifetimeMs } = this.#options
    const code = new PairingCode(now, lifetimeMs)
    this.#codeTimer = setTimeout(() => this.#endCode(code, 'pairing-expired'), lifetimeMs)
    this.#change({ code, outcome: undefined })
    return code
  }

  close(): void {
    const { code } = this.#state.value
    if (code) this.#endCode(code, 'pairing-closed')
  }

  /** Ends what runs. */
  stop(): void {
    this.close()
    clearTimeout(this.#newsTimer)
    this.#join?.abort()
    this.#answer?.(false)
  }

  /** The person's answer to the request with this id. @throws Failure `not-ready` when that one does not ask any more */
  confirm(request: string, accept: boolean): void {
    if (!this.#answer || this.#state.value.request?.id !== request)
      throw new Failure('not-ready', 'No device asks to be paired any more.', { words: { code: 'pairing-nobody' } })
    this.#answer(accept)
  }

  /** Serves a connection for pairing. @throws Failure after the other side was told */
  async serve(frames: FrameSocket, parties: Parties, addresses: readonly string[]): Promise<void> {
    const { book, times } = this.#options
    const { code, request } = this.#state.value
    // Also while this computer is on its way to a host: a stranger's try must not change what is told of that.
    const busy = this.#busy || this.#join !== undefined || request !== undefined
    const refusal = code === undefined ? this.#lastCode : busy ? 'pairing-busy' : code.over
    if (code === undefined || refusal !== undefined) {
      const failure = deviceFailure(refusal ?? 'pairing-closed')
      await tellRefusal(frames, failure)
      throw failure
    }
    this.#busy = true
    try {
      const guest = await pairAsHost({
        frames,
        parties,
        name: book.own.value.name,
        times,
        code,
        addresses,
        confirm: this.#confirmFor('guest', () => this.#endCode(code, 'pairing-used')),
        keep: ({ key, name }) => void book.pair({ role: 'guest', key, name, addresses: [] }),
      })
      this.#change({ request: undefined, outcome: { result: 'paired', role: 'guest', name: guest.name } })
    } catch (thrown) {
      // A stranger's try is told by the tries that are left; who had proven the words is told by an outcome.
      if (this.#state.value.request?.role === 'guest')
        this.#change({ request: undefined, outcome: { result: 'failed', failure: this.#failureOf(thrown) } })
      throw thrown
    } finally {
      this.#busy = false
      if (code.over !== undefined) this.#endCode(code, code.over)
      // The tries that are left have changed.
      else if (this.#state.value.code === code) this.#change({ code })
    }
  }

  /** Pairs with a host at the first of the addresses that answers. Never rejects: the outcome tells. */
  async join(addresses: readonly string[], words: string): Promise<void> {
    if (this.#join) return
    const { book, identity, times } = this.#options
    const control = new AbortController()
    this.#join = control
    this.#change({ joining: true, outcome: undefined })
    try {
      const { socket, frames, key, address } = await this.#dial(addresses, control.signal)
      control.signal.addEventListener('abort', () => frames.close())
      const { host, addresses: more } = await pairAsGuest({
        frames,
        parties: { hostKey: key, guestKey: identity.publicKey, binding: bindingOf(socket) },
        name: book.own.value.name,
        times,
        words,
        confirm: this.#confirmFor('host', () => this.#change({ joining: false })),
      })
      frames.end()
      const known = [address, ...more.filter((one) => one !== address)].slice(0, 9)
      const device = book.pair({ role: 'host', key: host.key, name: host.name, addresses: known })
      book.changeOwn({ chosenHost: device.id })
      this.#change({ joining: false, request: undefined, outcome: { result: 'paired', role: 'host', name: host.name } })
    } catch (thrown) {
      const { request } = this.#state.value
      this.#change({
        joining: false,
        // Whoever asks here meanwhile goes on to.
        request: request?.role === 'host' ? undefined : request,
        outcome: { result: 'failed', failure: this.#failureOf(thrown) },
      })
    } finally {
      this.#join = undefined
    }
  }

  async #dial(addresses: readonly string[], signal: AbortSignal) {
    const { dialMs: timeoutMs, identity } = this.#options
    let failure: unknown = deviceFailure('device-unreachable')
    for (const address of addresses) {
      try {
        const dialled = await dialDevice({ address, identity, protocol: pairingProtocol, timeoutMs, signal })
        return { ...dialled, address }
      } catch (thrown) {
        failure = thrown
        if (signal.aborted) break
      }
    }
    throw failure
  }

  /** Puts the question on the screen and waits for the person, or for the end of the other side. */
  #confirmFor(role: DeviceRole, asked: () => void): Confirm {
    return (peer, signal) =>
      new Promise((resolve) => {
        if (this.#answer || this.#state.value.request) {
          resolve(false)
          return
        }
        const request = { id: randomUUID(), role, peer }
        const answer = (yes: boolean): void => {
          this.#answer = undefined
          signal.removeEventListener('abort', gone)
          if (yes) this.#change({ request: { ...request, state: 'waiting' } })
          resolve(yes)
        }
        const gone = (): void => answer(false)
        if (signal.aborted) {
          resolve(false)
          return
        }
        signal.addEventListener('abort', gone)
        this.#answer = answer
        this.#change({ request: { ...request, state: 'asking' } })
        asked()
      })
  }

  #endCode(code: PairingCode, why: DeviceCode): void {
    code.end(why)
    if (this.#state.value.code !== code) return
    this.#lastCode = code.over ?? why
    clearTimeout(this.#codeTimer)
    this.#change({
      code: undefined,
      ...(this.#lastCode === 'pairing-burned' && {
        outcome: { result: 'failed', failure: deviceFailure('pairing-burned') } as const,
      }),
    })
  }

  #failureOf(thrown: unknown): Failure {
    if (thrown instanceof Failure) return thrown
    this.#options.logger.error('a pairing failed by a defect', { kind: asError(thrown).name })
    return deviceFailure('device-malformed')
  }

  #change(part: Partial<DeskState>): void {
    this.#state.set({ ...this.#state.value, ...part })
    if (part.outcome === undefined) return
    // It is news for a while, not a state of things.
    clearTimeout(this.#newsTimer)
    this.#newsTimer = setTimeout(() => this.#state.set({ ...this.#state.value, outcome: undefined }), newsMs).unref()
  }
}
