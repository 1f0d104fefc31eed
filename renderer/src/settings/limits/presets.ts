import { defaultLimits, type Limits, weekHours } from '../../../../preload/api/limits.ts'

/** What a preset says; the rest of the limits is a matter of taste, not of how much is served. */
type Preset = Pick<Limits, 'temperatureC' | 'forGames' | 'forOtherApps' | 'whileUsed' | 'onBattery' | 'onMetered'>

const all = { forGames: true, forOtherApps: true, whileUsed: true, onBattery: true, onMetered: true }
const none = { forGames: false, forOtherApps: false, whileUsed: false, onBattery: false, onMetered: false }

export const presets: Readonly<Record<'quiet' | 'balanced' | 'full', Preset>> = {
  quiet: { ...all, temperatureC: 70 },
  balanced: { ...all, whileUsed: false, temperatureC: defaultLimits.temperatureC },
  full: { ...none, temperatureC: 85 },
}
export type PresetName = keyof typeof presets
export const presetNames = ['quiet', 'balanced', 'full'] as const satisfies readonly PresetName[]

/** The preset that the limits are; undefined when they are the owner's own. */
export const presetOf = (limits: Limits): PresetName | undefined =>
  presetNames.find((name) => {
    const preset = presets[name]
    return (Object.keys(preset) as Array<keyof Preset>).every((key) => preset[key] === limits[key])
  })

const week = (allowed: (day: number, hour: number) => boolean): boolean[] =>
  Array.from({ length: weekHours }, (_, at) => allowed(Math.floor(at / 24), at % 24))

/** Days from Monday, hours of the local clock. Null: always. */
export const schedules: Readonly<Record<'always' | 'night' | 'weekend', Limits['schedule']>> = {
  always: null,
  night: week((_day, hour) => hour >= 22 || hour < 8),
  weekend: week((day) => day >= 5),
}
export type ScheduleName = keyof typeof schedules
export const scheduleNames = ['always', 'night', 'weekend'] as const satisfies readonly ScheduleName[]

export const scheduleOf = (schedule: Limits['schedule']): ScheduleName | undefined =>
  scheduleNames.find((name) => JSON.stringify(schedules[name]) === JSON.stringify(schedule))
