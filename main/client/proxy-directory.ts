import type { ProxyEndpoints } from '../../contracts/net-address.ts'
import { ReconnectPace } from '../base/reconnect-pace.ts'

/** After so many attempts in a row that came to nothing, proxies without an account are tried too. */
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

const endpointOf = ({ forClients }: ProxyEndpoints): string => `${forClients.host}:${forClients.port}`

/**
 * Which of the network's proxies a connection goes to next: one where money lies already, then one that did not fail of late, then the
 * nearest; among equals by chance. One connection to each proxy at a time. Times are ms of one clock.
 */
export class ProxyDirectory {
  readonly #longestMs: number
  readonly #random: () => number
  readonly #sheets = new Map<string, Sheet>()

  constructor(longestMs: number, random: () => number = Math.random) {
    this.#longestMs = longestMs
    this.#random = random
  }

  /** Takes a proxy of the list for one connection. `accounts`: endpoints where an account is open. Give it back with `release`. */
  take(proxies: readonly ProxyEndpoints[], accounts: ReadonlySet<string>, nowMs: number): NextProxy {
    const free = proxies
      .map((proxy) => ({ proxy, endpoint: endpointOf(proxy) }))
      .map((one) => ({ ...one, sheet: this.#sheetOf(one.endpoint), hasAccount: accounts.has(one.endpoint), tie: this.#random() }))
      .filter(({ sheet }) => !sheet.taken)
    // Opening an account costs money: a proxy where one is open is waited for, unless it stays away.
    const awaited = free.filter(({ hasAccount, sheet }) => hasAccount && sheet.pace.failures < mostPatience)
    const pool = awaited.length > 0 ? awaited : free
    const ready = pool.filter(({ sheet }) => sheet.notBeforeMs <= nowMs)
    ready.sort(
      (one, other) =>
        Number(other.hasAccount) - Number(one.hasAccount) ||
        one.sheet.pace.failures - other.sheet.pace.failures ||
        nearness(one.sheet) - nearness(other.sheet) ||
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
