import type { GpuProcess, GpuWatch } from './gpu-reading.ts'

/** What the computer is doing besides us. Null is what its system does not tell. */
export interface Conditions {
  /** Of the hottest card. */
  readonly gpuTemperatureC: number | null
  /** Programs of others on the cards. */
  readonly gpuPrograms: readonly GpuProcess[] | null
  /** Since the last key or movement of the user. */
  readonly idleMs: number | null
  readonly locked: boolean | null
  readonly onBattery: boolean | null
  /** The connection to the internet is paid by volume. */
  readonly metered: boolean | null
}

/** One source each, so that every state can be brought about in a test. */
export interface ConditionSources {
  readonly onBattery: () => boolean | null | Promise<boolean | null>
  readonly metered: () => Promise<boolean | null>
  readonly session: () => Promise<Session>
  /** Ends what was kept running for the answers. */
  readonly close?: () => void
}

export interface Session {
  readonly idleMs: number | null
  readonly locked: boolean | null
}

export const unknownSession: Session = { idleMs: null, locked: null }

/** Everything at this moment. @param isOurs whether a process belongs to this app */
export async function readConditions(
  sources: ConditionSources,
  gpus: Pick<GpuWatch, 'read' | 'processes'>,
  isOurs: (pid: number) => boolean,
): Promise<Conditions> {
  const [onBattery, metered, session] = await Promise.all([sources.onBattery(), sources.metered(), sources.session()])
  const temperatures = gpus.read().flatMap(({ temperatureC }) => (temperatureC === null ? [] : [temperatureC]))
  return {
    gpuTemperatureC: temperatures.length === 0 ? null : Math.max(...temperatures),
    gpuPrograms: gpus.processes()?.filter(({ pid }) => !isOurs(pid)) ?? null,
    ...session,
    onBattery,
    metered,
  }
}
