import type { EarnState } from '../../preload/api/earn.ts'
import { noPrices, type PowerSource, type Prices } from '../../preload/api/electricity.ts'
import type { Feed } from '../base/feed.ts'
import type { Logger } from '../base/logger.ts'
import { follow, type Watchable } from '../base/signal.ts'
import { openCardRests } from '../earnings/card-rests.ts'
import { addEnergy } from '../earnings/energy.ts'
import { type EnergyBook, openEnergyBook } from '../earnings/energy-book.ts'
import { startOfLocalDay } from '../earnings/half-hours.ts'
import type { Ledger } from '../earnings/ledger.ts'
import { type LastHours, netOf } from '../earnings/net.ts'
import { PowerMeter } from '../earnings/power-meter.ts'
import { RequestEnergy } from '../earnings/request-energy.ts'
import type { GpuWatch } from '../hardware/gpu-reading.ts'
import type { EngineState } from '../inference/engine.ts'
import type { Database } from '../storage/database.ts'
import type { SettingsStore } from '../storage/settings.ts'
import type { Worker } from '../worker/worker.ts'
import type { WorkerEvent } from '../worker/worker-event.ts'
import { cardPowers, serverOf } from './serving-cards.ts'

export interface AppElectricityParts {
  /** Opened with `earningsMigrations`. */
  readonly database: Database
  readonly ledger: Pick<Ledger, 'since'>
  readonly engine: { readonly state: Watchable<EngineState> }
  /** The engine of another program that serves; null: this app's engine. */
  readonly external: Watchable<{ readonly isLoopback: boolean } | null>
  readonly network: {
    readonly worker: Watchable<Pick<Worker, 'state'> | null>
    /** The ledger reads them first. */
    readonly workerEvents: Pick<Feed<WorkerEvent>, 'on'>
    readonly chainKind: EarnState['network']
  }
  readonly settings: SettingsStore
  readonly gpus: () => GpuWatch
  readonly logger: Logger
  /** Unix time in ms. */
  readonly now?: () => number
  /** ms of a clock that only goes forward. */
  readonly clock?: () => number
}

/** What the owner says of prices, and what answering requests took. */
export interface AppElectricity extends Pick<EnergyBook, 'since'> {
  readonly source: PowerSource
  /** @throws Failure as `SettingsStore.change` */
  set(part: PricesPart): Prices
  /** Of the requests that started in the last 3 hours and have ended. */
  lastHours(): LastHours
  close(): void
}

export interface PricesPart {
  readonly power?: Prices['power'] | undefined
  readonly tonMicros?: number | null | undefined
  readonly pauseWhenNotPaying?: boolean | undefined
}

const lookMs = 1_000
const writeMs = 10_000
const lastHoursMs = 3 * 3_600_000

/** Meters what answering takes for the life of the core, and judges it by the owner's prices. `close` it before the database. */
export function openAppElectricity(parts: AppElectricityParts): AppElectricity {
  const { database, ledger, engine, external, network, settings, logger, now = Date.now, clock = () => performance.now() } = parts
  const gpus = parts.gpus()
  const meter = new PowerMeter(openCardRests(database, logger))
  const book = openEnergyBook(database, logger)
  const requests = new RequestEnergy(book)
  const prices = (): Prices => settings.value.prices ?? noPrices

  const running = (): number => network.worker.value?.state.value.running ?? 0
  const look = (): void => {
    const readings = gpus.read()
    const cards = cardPowers(readings, gpus.processes() ?? [], engine.state.value.status === 'loading')
    const server = serverOf(external.value, engine.state.value, readings)
    const isRunning = running() > 0
    const energy = meter.look({ atMs: clock(), running: isRunning, server, cards })
    if (energy) requests.add(energy, now())
    requests.settle(now(), isRunning)
  }
  // Between the looks of the clock, so that an answer counts from its begin to its end. The worker tells a begin or an end right after it.
  let ranBefore = 0
  const lookAtChange = (): void => {
    if (running() === ranBefore) return
    ranBefore = running()
    look()
  }
  const deaf = network.workerEvents.on((event) => requests.record(event))
  follow<Pick<Worker, 'state'>>(network.worker, (worker) => worker.state.onChange(lookAtChange), lookAtChange)
  const timers = [setInterval(look, lookMs).unref(), setInterval(() => book.write(), writeMs).unref()]
  look()

  return {
    get source() {
      return meter.source
    },
    since: (sinceMs) => addEnergy(book.since(sinceMs), requests.openSince(sinceMs)),
    set: (part) => settings.change({ prices: changed(prices(), part, now()) }).prices ?? noPrices,
    lastHours: () => {
      const { power, pauseWhenNotPaying } = prices()
      const currency = power?.currency ?? null
      if (!pauseWhenNotPaying || power === null) return { pauses: false, balance: null, currency }
      const fromMs = now() - lastHoursMs
      // As far back as the screen asks, so that the ledger sums it up once for both. What the proxy counted and did not sign yet is earned all the same.
      const nano = ledger
        .since(startOfLocalDay(now(), 6))
        .filter(({ startedAtMs }) => startedAtMs >= fromMs)
        .reduce((all, { counted, pending, settled }) => all + counted + pending + settled, 0n)
      // Not what runs now: it costs from its first second, and earns at its end.
      const { netMicros, costMicros, measuredMs } = netOf(book.since(fromMs), nano, prices(), network.chainKind)
      const balance = netMicros === null || costMicros === null ? null : { netMicros, costMicros, measuredMs }
      return { pauses: true, balance, currency }
    },
    close: () => {
      look()
      deaf()
      for (const timer of timers) clearInterval(timer)
      requests.close()
      book.write()
      gpus.close()
    },
  }
}

/** A price of a TON in another currency is none. */
function changed(prices: Prices, { power, tonMicros, pauseWhenNotPaying }: PricesPart, nowMs: number): Prices {
  const nextPower = power === undefined ? prices.power : power
  const keeps = nextPower !== null && nextPower.currency === prices.power?.currency
  const ton =
    tonMicros === undefined ? (keeps ? prices.ton : null) : tonMicros === null ? null : { micros: tonMicros, statedAtMs: nowMs }
  return {
    power: nextPower,
    ton: nextPower === null ? null : ton,
    pauseWhenNotPaying: pauseWhenNotPaying ?? prices.pauseWhenNotPaying,
  }
}
