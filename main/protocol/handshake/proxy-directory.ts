import type { ProxyEndpoints } from '../../../contracts/net-address.ts'
import { ReconnectPace } from '../../base/reconnect-pace.ts'

/** After so many attempts in a row that came to nothing, proxies without money are tried too. */
const mostPatience = 6
/** Proxies that differ by less are equally near. */
const equallyNearMs = 20

interface Sheet {
  readonly pace: ReconnectPace
  notBeforeMs: number
  taken: boolean
  /** Round trip when it was met last; undefined before. */
  latencyMs: number | undefined
}

export type NextProxy =
  | { readonly proxy: ProxyEndpoints; readonly endpoint: string }
  /** Nobody can be tried before so many ms. */
  | { readonly waitMs: number }

/** Proxies that are not like the others, by `host:port`. */
export interface Favoured {
  /** While it is listed, no other is tried. */
  readonly only?: string | undefined
  /** Money lies there: they come first and are waited for. */
  readonly withMoney?: ReadonlySet<string>
  /** Met before, which spares the cost of a new contract: they come first among equals. */
  readonly known?: ReadonlySet<string>
}

/** The port of a proxy that one role uses. */
export type ProxySide = keyof Pick<ProxyEndpoints, 'forClients' | 'forWorkers'>

/**
 * Which of the network's proxies a connection goes to next: one where money lies already, then one that did not fail of late, then the
 * nearest, then one that is known; among equals by chance, so that many who choose spread. One connection to each proxy at a time. Times are ms of
 * one clock.
 */
export class ProxyDirectory {
  readonly #side: ProxySide
  readonly #longestMs: number
  readonly #random: () => number
  readonly #sheets = new Map<string, Sheet>()

  constructor(side: ProxySide, longestMs: number, random: () => number = Math.random) {
    this.#side = side
    this.#longestMs = longestMs
    this.#random = random
  }

  /** Takes a proxy of the list for one connection. Give it back with `release`. */
  take(proxies: readonly ProxyEndpoints[], { only, withMoney, known }: Favoured, nowMs: number): NextProxy {
    const listed = proxies.map((proxy) => ({ proxy, endpoint: `${proxy[this.#side].host}:${proxy[this.#side].port}` }))
    const wanted = listed.filter(({ endpoint }) => endpoint === only)
    const free = (wanted.length > 0 ? wanted : listed)
      .map((one) => ({
        ...one,
        sheet: this.#sheetOf(one.endpoint),
        hasMoney: withMoney?.has(one.endpoint) === true,
        isKnown: known?.has(one.endpoint) === true,
        tie: this.#random(),
      }))
      .filter(({ sheet }) => !sheet.taken)
    // Opening an account costs money: a proxy where one is open is waited for, unless it stays away.
    const awaited = free.filter(({ hasMoney, sheet }) => hasMoney && sheet.pace.failures < mostPatience)
    const pool = awaited.length > 0 ? awaited : free
    const ready = pool.filter(({ sheet }) => sheet.notBeforeMs <= nowMs)
    ready.sort(
      (one, other) =>
        Number(other.hasMoney) - Number(one.hasMoney) ||
        one.sheet.pace.failures - other.sheet.pace.failures ||
        nearness(one.sheet) - nearness(other.sheet) ||
        Number(other.isKnown) - Number(one.isKnown) ||
        one.tie - other.tie,
    )
    const [first] = ready
    if (first === undefined) {
      const earliest = Math.min(...pool.map(({ sheet }) => sheet.notBeforeMs), nowMs + this.#longestMs)
      return { waitMs: Math.max(1, earliest - nowMs) }
    }
    first.sheet.taken = true
    return { proxy: first.proxy, endpoint: first.endpoint }
  }

  /** The connection has ended. @param goodMs how long it was of use; 0 when it never was */
  release(
    endpoint: string,
    told: { readonly goodMs: number; readonly latencyMs: number | undefined; readonly nowMs: number },
  ): void {
    const sheet = this.#sheetOf(endpoint)
    sheet.taken = false
    sheet.latencyMs = told.latencyMs ?? sheet.latencyMs
    sheet.notBeforeMs = told.nowMs + sheet.pace.ended(told.goodMs)
  }

  #sheetOf(endpoint: string): Sheet {
    const known = this.#sheets.get(endpoint)
    if (known !== undefined) return known
    const sheet: Sheet = {
      pace: new ReconnectPace(this.#longestMs, this.#random),
      notBeforeMs: 0,
      taken: false,
      latencyMs: undefined,
    }
    this.#sheets.set(endpoint, sheet)
    return sheet
  }
}

/** Steps of distance; one that was never met counts as near, so that it is met once. */
function nearness({ latencyMs }: Sheet): number {
  return latencyMs === undefined ? 0 : Math.floor(latencyMs / equallyNearMs)
}
