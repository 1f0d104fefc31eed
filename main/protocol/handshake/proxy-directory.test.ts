import { describe, expect, it } from 'vitest'
import type { ProxyEndpoints } from '../../../contracts/net-address.ts'
import { ProxyDirectory } from './proxy-directory.ts'

const proxy = (port: number): ProxyEndpoints => ({
  forWorkers: { host: '10.0.0.1', port: port + 100 },
  forClients: { host: '10.0.0.1', port },
})
const [a, b, c] = [proxy(1), proxy(2), proxy(3)]
const at = (port: number): string => `10.0.0.1:${port}`
const nobody = {}
const directory = (): ProxyDirectory => new ProxyDirectory('forClients', 16_000, () => 0.5)
const never = { goodMs: 0, latencyMs: undefined }

describe('the next proxy', () => {
  it('is the one where money lies, and each is taken once', () => {
    const all = directory()
    const accounts = { withMoney: new Set([at(2)]) }
    expect(all.take([a, b, c], accounts, 0)).toMatchObject({ endpoint: at(2) })
    expect(all.take([a, b, c], accounts, 0)).toMatchObject({ endpoint: at(1) })
    expect(all.take([a, b, c], accounts, 0)).toMatchObject({ endpoint: at(3) })
    expect(all.take([a, b, c], accounts, 0)).toEqual({ waitMs: 16_000 })
  })

  it('is the one that the role is meant for, whatever lies elsewhere and however often it fails, unless it is not listed', () => {
    const all = directory()
    const meant = { only: at(2), withMoney: new Set([at(1)]) }
    for (let nowMs = 0; nowMs < 600_000; ) {
      const next = all.take([a, b, c], meant, nowMs)
      if ('waitMs' in next) nowMs += next.waitMs
      else {
        expect(next.endpoint).toBe(at(2))
        expect(all.take([a, b, c], meant, nowMs)).toHaveProperty('waitMs')
        all.release(next.endpoint, { ...never, nowMs })
      }
    }
    expect(all.take([a, c], meant, 600_000)).toMatchObject({ endpoint: at(1) })
  })

  it('is another one when the first does not answer', () => {
    const all = directory()
    expect(all.take([a, b], nobody, 0)).toMatchObject({ endpoint: at(1) })
    all.release(at(1), { ...never, nowMs: 0 })
    expect(all.take([a, b], nobody, 10)).toMatchObject({ endpoint: at(2) })
    all.release(at(2), { ...never, nowMs: 10 })
    // Half of 1000 ms and a random quarter more.
    expect(all.take([a, b], nobody, 20)).toEqual({ waitMs: 730 })
    expect(all.take([a, b], nobody, 751)).toMatchObject({ endpoint: at(1) })
  })

  it('is waited for where money lies, until it has stayed away for long', () => {
    const all = directory()
    const accounts = { withMoney: new Set([at(1)]) }
    let nowMs = 0
    const tried: string[] = []
    while (tried.at(-1) !== at(2)) {
      const next = all.take([a, b], accounts, nowMs)
      if ('waitMs' in next) nowMs += next.waitMs
      else {
        tried.push(next.endpoint)
        all.release(next.endpoint, { ...never, nowMs })
      }
    }
    expect(tried).toEqual([...Array(6).fill(at(1)), at(2)])
    expect(nowMs).toBeGreaterThan(10_000)
  })

  it('is the nearest one, once all have been met', () => {
    const all = directory()
    for (const [entry, latencyMs] of [
      [a, 90],
      [b, 15],
      [c, 50],
    ] as const) {
      expect(all.take([entry], nobody, 0)).toMatchObject({ proxy: entry })
      all.release(at(entry.forClients.port), { goodMs: 60_000, latencyMs, nowMs: 0 })
    }
    const order = [0, 1, 2].map(() => all.take([a, b, c], nobody, 60_000))
    expect(order).toMatchObject([{ endpoint: at(2) }, { endpoint: at(3) }, { endpoint: at(1) }])
  })

  it('is a known one among equals, but not before one that failed less', () => {
    const all = directory()
    const known = { known: new Set([at(3)]) }
    expect(all.take([a, b, c], known, 0)).toMatchObject({ endpoint: at(3) })
    all.release(at(3), { ...never, nowMs: 0 })
    expect(all.take([a, b, c], known, 60_000)).toMatchObject({ endpoint: at(1) })
  })

  it('is one or the other for those who choose at the same time', () => {
    const chosen = new Set<string>()
    for (let i = 0; i < 64; i++) {
      const next = new ProxyDirectory('forWorkers', 16_000).take([a, b, c], nobody, 0)
      if ('endpoint' in next) chosen.add(next.endpoint)
    }
    expect([...chosen].sort()).toEqual([at(101), at(102), at(103)])
  })
})
