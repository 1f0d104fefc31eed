import { expect, it } from 'vitest'
import type { HardwareFacts } from '../../preload/api/system.ts'
import { seenByEngine } from './card-backends.ts'

const card = (name: string): HardwareFacts['gpus'][number] => ({
  ...{ name, vendor: 'amd', memoryBytes: null, driver: null, pciId: null },
  backends: { cuda: false, vulkan: null, metal: false },
})
const facts = (...gpus: HardwareFacts['gpus']): HardwareFacts => ({
  cpu: { name: 'x', vendor: 'x', physicalCores: 1, threads: 1, speedGHz: null },
  memoryBytes: 1,
  os: { platform: 'linux', name: 'x', version: 'x', arch: 'x64' },
  tee: { kind: 'none', canQuote: false, sentence: 'x' },
  gpus,
})
const ready = (backend: string, ...devices: string[]) =>
  ({ status: 'ready', model: 'm', contextTokens: 1, backend, devices }) as const
const seen = (given: HardwareFacts, state: Parameters<typeof seenByEngine>[1]) =>
  seenByEngine(given, state).gpus.map(({ backends, usedBackend }) => [backends?.vulkan, usedBackend])

it('the list of the engine’s library says which cards its back end uses', () => {
  const two = facts(card('Radeon RX 7900 XTX'), card('UHD Graphics 770'))
  expect(seen(two, ready('vulkan', 'Radeon RX 7900 XTX (RADV NAVI31)'))).toEqual([
    [true, 'vulkan'],
    [null, undefined],
  ])
  expect(seen(facts(card('Radeon')), ready('vulkan', 'Radeon'))).toEqual([[true, 'vulkan']])
})

it('nothing is made up: not of names that only begin alike, of two cards with one name, of the processor, or before a model is loaded', () => {
  const nothing = [[null, undefined]]
  expect(seen(facts(card('Radeon RX 79')), ready('vulkan', 'Radeon RX 7900 XTX'))).toEqual(nothing)
  expect(seen(facts(card('Radeon')), ready('vulkan'))).toEqual(nothing)
  expect(seen(facts(card('Radeon')), ready('cpu', 'Radeon'))).toEqual(nothing)
  expect(seen(facts(card('Radeon')), { status: 'no-model' })).toEqual(nothing)
  expect(seen(facts(card('Radeon'), card('Radeon')), ready('vulkan', 'Radeon'))).toEqual([...nothing, ...nothing])
})
