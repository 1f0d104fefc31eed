import { programKind } from '../earnings/desktop-programs.ts'
import type { CardPower, Server } from '../earnings/power-meter.ts'
import type { GpuProcess, GpuReading } from '../hardware/gpu-reading.ts'
import { vendorOf } from '../hardware/vendor.ts'
import type { EngineState } from '../inference/engine.ts'
import { isNamed } from './card-backends.ts'

/** Above that a card works for somebody, beyond doubt. */
const worksPercent = 20

/** What the meter is to know of each card. @param isLoading the app's own engine loads a model */
export const cardPowers = (readings: readonly GpuReading[], programs: readonly GpuProcess[], isLoading: boolean): CardPower[] =>
  readings.map((reading, index) => ({
    id: idOf(reading, index),
    powerW: reading.powerW,
    utilisationPercent: reading.utilisationPercent,
    inUse: isLoading || programs.some((program) => computesOn(program, reading)),
  }))

/** With the name: another card in the same place is another one. */
const idOf = ({ pciId, name }: GpuReading, index: number): string => `${pciId ?? index} ${name}`

/** What draws the desktop is there at rest too, and so is a page that stands still. */
const computesOn = ({ name, pciId, utilisationPercent }: GpuProcess, card: GpuReading): boolean =>
  (pciId === null || pciId === card.pciId) && programKind(name) === 'other' && (utilisationPercent ?? 0) > 0

/** What answers: of the cards those that the engine's library names, or all where another program computes. */
export function serverOf(
  external: { readonly isLoopback: boolean } | null,
  state: EngineState,
  readings: readonly GpuReading[],
): Server {
  if (external) return external.isLoopback ? byCards(readings, readings) : { by: 'elsewhere' }
  if (state.status !== 'ready') return { by: 'nothing' }
  if (state.backend.toLowerCase() === 'cpu') return { by: 'processor' }
  return byCards(namedBy(state.devices ?? [], readings), readings)
}

/** The kernel's files and the engine's library call a card differently, but agree on its vendor. All, where a name says neither. */
function namedBy(devices: readonly string[], readings: readonly GpuReading[]): readonly GpuReading[] {
  const found = devices.map((device) => {
    const named = readings.filter(({ name }) => isNamed(device, name))
    return named.length > 0 ? named : readings.filter(({ vendor }) => vendor === vendorOf(device))
  })
  return found.length === 0 || found.some((cards) => cards.length === 0) ? readings : [...new Set(found.flat())]
}

/** Without those that cannot be measured while another one visibly works: an integrated card shows the desktop beside it. */
function byCards(used: readonly GpuReading[], readings: readonly GpuReading[]): Server {
  const canBeMeasured = ({ powerW, utilisationPercent }: GpuReading): boolean => powerW !== null && utilisationPercent !== null
  const measured = used.filter(canBeMeasured)
  const left = measured.some(({ utilisationPercent }) => (utilisationPercent ?? 0) >= worksPercent) ? measured : used
  return { by: 'cards', ids: new Set(left.map((reading) => idOf(reading, readings.indexOf(reading)))) }
}
