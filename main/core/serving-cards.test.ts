import { expect, it } from 'vitest'
import { type GpuReading, unknownReading } from '../hardware/gpu-reading.ts'
import type { EngineState } from '../inference/engine.ts'
import { serverOf } from './serving-cards.ts'

const reading = (part: Partial<GpuReading>): GpuReading => ({ ...unknownReading, name: 'GPU', vendor: 'other', ...part })
/** As the kernel's files name them (sysfs-watch.ts), and as Mesa's Vulkan drivers do. */
const radeon = reading({ name: 'AMD GPU 0x744c', vendor: 'amd', pciId: '0000:03:00.0', powerW: 250, utilisationPercent: 97 })
const uhd = reading({ name: 'Intel GPU 0x4680', vendor: 'intel', pciId: '0000:00:02.0' })
const geforce = reading({
  name: 'NVIDIA GeForce RTX 4080',
  vendor: 'nvidia',
  pciId: '01:00.0',
  powerW: 20,
  utilisationPercent: 0,
})
const on = (...devices: string[]): EngineState => ({ status: 'ready', model: 'm', contextTokens: 1, backend: 'vulkan', devices })
const served = (state: EngineState, readings: readonly GpuReading[], external: { isLoopback: boolean } | null = null) => {
  const server = serverOf(external, state, readings)
  return server.by === 'cards' ? [...server.ids].map((id) => id.split(' ')[0]) : server.by
}

it('finds the card that the engine names by its vendor, where its name is another one', () => {
  const idle = { ...radeon, powerW: 12, utilisationPercent: 0 }
  const mesa = on('AMD Radeon RX 7900 XTX (RADV NAVI31)')
  for (const readings of [
    [uhd, idle],
    [idle, uhd],
  ])
    expect(served(mesa, readings)).toEqual(['0000:03:00.0'])
  expect(served(on('AMD Radeon RX 7900 XTX (RADV NAVI31)', 'NVIDIA GeForce RTX 4080'), [uhd, idle, geforce])).toEqual([
    '0000:03:00.0',
    '01:00.0',
  ])
  // A name that says nothing: each may be it.
  expect(served(on('Unnamed'), [uhd, idle])).toEqual(['0000:00:02.0', '0000:03:00.0'])
})

it('leaves out a card that cannot be measured only while another one visibly works', () => {
  const anyCard = { isLoopback: true }
  expect(served(on(), [uhd, radeon], anyCard)).toEqual(['0000:03:00.0'])
  expect(served(on(), [uhd, { ...radeon, utilisationPercent: 3 }], anyCard)).toEqual(['0000:00:02.0', '0000:03:00.0'])
  expect(served(on(), [uhd], anyCard)).toEqual(['0000:00:02.0'])
  // What works and can be measured is one of them all the same, next to a card that is idle.
  expect(served(on(), [geforce, radeon], anyCard)).toEqual(['01:00.0', '0000:03:00.0'])
})
