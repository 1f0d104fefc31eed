import { addEnergy, type Energy, noEnergy } from './energy.ts'
import type { EnergyBook } from './energy-book.ts'
import type { LedgerEvent } from './ledger-event.ts'

interface OpenRequest {
  readonly startedAtMs: number
  /** Unix ms; null while it is answered. */
  endedAtMs: number | null
  energy: Energy
}

/** The proxy counts an answer a moment after its end; one that is not counted by then earned nothing. */
const countedWithinMs = 60_000

/**
 * Shares what answering takes among the requests that are answered meanwhile, alike, and books a request's share when it is known what it earned: into the
 * quarter of an hour that it started in, where the ledger has its money.
 */
export class RequestEnergy {
  readonly #book: EnergyBook
  readonly #open = new Map<string, OpenRequest>()

  constructor(book: EnergyBook) {
    this.#book = book
  }

  /** What the worker tells, after the ledger learned it. */
  record(event: LedgerEvent): void {
    if (event.type === 'started')
      this.#open.set(event.requestId, { startedAtMs: event.startedAtMs, endedAtMs: null, energy: noEnergy })
    const request = 'requestId' in event ? this.#open.get(event.requestId) : undefined
    if (request === undefined) return
    if (event.type === 'finished') request.endedAtMs = event.finishedAtMs
    if (event.type === 'counted' || (event.type === 'finished' && event.adjustedTokens === 0n)) this.#close(event.requestId)
  }

  /** What answering took until now. @param nowMs Unix time */
  add(energy: Energy, nowMs: number): void {
    const running = [...this.#open.values()].filter(({ endedAtMs }) => endedAtMs === null)
    if (running.length === 0) this.#book.add(nowMs, energy)
    const share = shareOf(energy, running.length)
    for (const request of running) request.energy = addEnergy(request.energy, share)
  }

  /** Books the requests that nobody counted in time. @param isRunning false: none is answered, whatever was told */
  settle(nowMs: number, isRunning: boolean): void {
    for (const [id, request] of this.#open) {
      if (!isRunning) request.endedAtMs ??= nowMs
      if (request.endedAtMs !== null && nowMs - request.endedAtMs >= countedWithinMs) this.#close(id)
    }
  }

  /** Not booked yet, of the requests that started at `sinceMs` or later. */
  openSince(sinceMs: number): Energy {
    return [...this.#open.values()]
      .filter(({ startedAtMs }) => startedAtMs >= sinceMs)
      .reduce((all, { energy }) => addEnergy(all, energy), noEnergy)
  }

  /** Books everything: nothing more will be told. */
  close(): void {
    for (const id of this.#open.keys()) this.#close(id)
  }

  #close(id: string): void {
    const request = this.#open.get(id)
    if (request !== undefined) this.#book.add(request.startedAtMs, request.energy)
    this.#open.delete(id)
  }
}

const shareOf = ({ servingMs, measuredMs, drawnJ, restJ }: Energy, among: number): Energy => ({
  servingMs: servingMs / among,
  measuredMs: measuredMs / among,
  drawnJ: drawnJ / among,
  restJ: restJ / among,
})
