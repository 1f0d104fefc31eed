import type { EarnState } from '../../preload/api/earn.ts'

export type TrayIcon = 'idle' | 'earning' | 'paused' | 'error'
export type TrayCommand = 'pause' | 'resume' | 'anyway' | 'new-chat' | 'open' | 'settings' | 'quit'

/** One line of the tray's menu. A command is data: the same list could feed an application menu. */
export type TrayItem =
  | { readonly type: 'state'; readonly label: string }
  | { readonly type: 'separator' }
  | { readonly type: 'command'; readonly label: string; readonly command: TrayCommand }

export interface TrayModel {
  readonly icon: TrayIcon
  readonly tooltip: string
  readonly menu: readonly TrayItem[]
}

const icons: Record<EarnState['status'], TrayIcon> = {
  error: 'error',
  offline: 'error',
  paused: 'paused',
  earning: 'earning',
  'not-set-up': 'idle',
  starting: 'idle',
  waiting: 'idle',
}

/** Toncoin in figure form for a tooltip: three decimals from 0.1 up, else three significant digits, rounded down (ui.md §9). */
export function figureTon(nano: bigint): string {
  const whole = nano / 1_000_000_000n
  const fraction = (nano % 1_000_000_000n).toString().padStart(9, '0')
  const firstDigit = fraction.search(/[1-9]/)
  const decimals = whole > 0n || firstDigit < 1 ? 3 : firstDigit + 3
  const shown = fraction.slice(0, decimals).replace(/0+$/, '')
  return shown ? `${whole}.${shown}` : whole.toString()
}

/**
 * Icon, tooltip and menu for a state of earning (ui.md §2). `null` while the core has not told any.
 * Test coins are named as such: nobody should take their balance for money.
 */
export function trayModel(state: EarnState | null): TrayModel {
  const commands: TrayItem[] = [
    { type: 'separator' },
    { type: 'command', label: 'New chat', command: 'new-chat' },
    { type: 'command', label: 'Open Cocoon', command: 'open' },
    { type: 'command', label: 'Settings', command: 'settings' },
    { type: 'separator' },
    { type: 'command', label: 'Quit', command: 'quit' },
  ]
  if (!state) return { icon: 'idle', tooltip: 'Cocoon, starting', menu: [{ type: 'state', label: 'Starting' }, ...commands] }
  const coins = state.network === 'mainnet' ? 'TON' : 'test TON'
  const pauseOrResume: TrayItem[] =
    state.status === 'paused' && state.pause
      ? state.pause.canPassOver
        ? [{ type: 'command', label: 'Earn anyway', command: 'anyway' }]
        : []
      : state.status === 'paused'
        ? [{ type: 'command', label: 'Resume', command: 'resume' }]
        : state.status === 'earning' || state.status === 'waiting' || state.status === 'starting'
          ? [{ type: 'command', label: 'Pause earning', command: 'pause' }]
          : []
  return {
    icon: icons[state.status],
    tooltip: `Cocoon, ${state.tile.toLowerCase()}. Today ${figureTon(state.today)} ${coins}`,
    menu: [{ type: 'state', label: state.title }, ...pauseOrResume, ...commands],
  }
}
