import { beginCell, type Cell } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { checkPayment } from '../payments/signed-payment.ts'
import { JsonSplitter } from '../requests/json-splitter.ts'
import { validateRequest } from '../requests/validate-request.ts'
import { scriptedNetwork } from '../testing/scripted-network.ts'
import { inSlices } from './slices.ts'
import { SseSplitter } from './sse-splitter.ts'

async function* chunks(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all
}
const cpu = (): number => process.threadCpuUsage().user / 1_000
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('slices', () => {
  it('are the bytes that came, small chunks as they are', async () => {
    const large = Uint8Array.from({ length: 200_001 }, (_, i) => i % 251)
    const small = Uint8Array.of(1, 2)
    const slices: Uint8Array[] = []
    for await (const slice of inSlices(chunks(small, new Uint8Array(), large))) slices.push(slice)
    expect(slices[0]).toBe(small)
    expect(slices.map((slice) => slice.length)).toEqual([2, 65_536, 65_536, 65_536, 3_393])
    expect(Buffer.concat(slices.slice(1)).equals(large)).toBe(true)
  })

  it.each([
    ['two million empty lines', new Uint8Array(2 << 20).fill(0x0a), () => new SseSplitter()],
    ['a million empty objects', text('{}'.repeat(1 << 20)), () => new JsonSplitter()],
  ])('keep others alive while %s are read', async (_name, body, make) => {
    const splitter = make()
    let turns = 0
    const others = setInterval(() => turns++, 1)
    let longest = 0
    for await (const slice of inSlices(chunks(body))) {
      const before = cpu()
      splitter.push(slice)
      if (splitter instanceof JsonSplitter) while (splitter.next() !== undefined) splitter.drop()
      longest = Math.max(longest, cpu() - before)
    }
    clearInterval(others)
    expect(longest).toBeLessThan(500)
    expect(turns).toBeGreaterThan(10)
  })
})

describe('what is too large is refused before it takes long', () => {
  const within = (ms: number, act: () => unknown): void => {
    const before = cpu()
    expect(act).toThrow('expected json object')
    expect(cpu() - before).toBeLessThan(ms)
  }

  it.each([
    ['two million numbers', '0,'.repeat(2_000_000)],
    ['two million objects', '{},'.repeat(2_000_000)],
    ['half a million fields', `{${Array.from({ length: 500_000 }, (_, i) => `"${i.toString(36)}":1`).join(',')}},`],
  ])('a request with %s', (_name, values) => {
    within(1_000, () => validateRequest('/v1/chat/completions', `{"model":"M","messages":[${values}0]}`))
  })

  it('a request with a hundred thousand fields is read in time', () => {
    const fields = Array.from({ length: 100_000 }, (_, i) => `"${i.toString(36)}":1`).join(',')
    const before = cpu()
    validateRequest('/v1/chat/completions', `{"model":"M","messages":[{${fields}}]}`)
    expect(cpu() - before).toBeLessThan(1_000)
  })

  it('a payment of thousands of cells', () => {
    let level: Cell[] = Array.from({ length: 4_096 }, (_, i) => beginCell().storeUint(i, 32).endCell())
    while (level.length > 1)
      level = Array.from({ length: level.length / 4 }, (_, i) =>
        level
          .slice(i * 4, i * 4 + 4)
          .reduce((builder, cell) => builder.storeRef(cell), beginCell())
          .endCell(),
      )
    const data = new Uint8Array(level[0]?.toBoc() ?? [])
    expect(data.length).toBeGreaterThan(30_000)
    const before = cpu()
    const { owner: contract, proxyKey: publicKey } = scriptedNetwork
    expect(checkPayment({ '@type': 'proxy.signedPayment', data }, { kind: 'client-charge', contract, publicKey })).toEqual({
      state: 'refused',
      reason: 'layout',
    })
    expect(cpu() - before).toBeLessThan(20)
  })
})
