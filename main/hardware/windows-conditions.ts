import { type ConditionSources, type Session, unknownSession } from './conditions.ts'
import { keepRunning, type RunLines } from './line-process.ts'

/**
 * What the system's own PowerShell is told to write, a line every five seconds:
 * `C|<ms since the last input>|<session flags>|<line status>|<battery flag>|<cost of the connection>|<roaming>`. What the system refuses to say stays
 * empty. All of it is plain digits: neither words nor decimal signs of a language. PowerShell takes long to start, so one stays; the functions are those of
 * user32 (GetLastInputInfo), kernel32 (GetSystemPowerStatus) and wtsapi32 (WTSQuerySessionInformation, of which the flags stand at byte 16), and the class
 * `NetworkInformation` of Windows.Networking.Connectivity.
 * @param parent process that it ends with: a program whose output goes nowhere does not end by itself
 */
export const conditionScript = (parent: number): string => `
$ErrorActionPreference = 'SilentlyContinue'
[Console]::OutputEncoding = [System.Text.Encoding]::ASCII
[System.Threading.Thread]::CurrentThread.CurrentCulture = [System.Globalization.CultureInfo]::InvariantCulture
Add-Type -IgnoreWarnings -TypeDefinition @'
using System;
using System.Runtime.InteropServices;
public static class CocoonConditions {
  [StructLayout(LayoutKind.Sequential)] struct LastInput { public uint Size; public uint Tick; }
  [StructLayout(LayoutKind.Sequential)] struct Power { public byte Line; public byte Battery; public byte Percent; public byte Saver; public int Left; public int Full; }
  [DllImport("user32.dll")] static extern bool GetLastInputInfo(ref LastInput info);
  [DllImport("kernel32.dll")] static extern bool GetSystemPowerStatus(out Power status);
  [DllImport("wtsapi32.dll")] static extern bool WTSQuerySessionInformationW(IntPtr server, int session, int kind, out IntPtr buffer, out int bytes);
  [DllImport("wtsapi32.dll")] static extern void WTSFreeMemory(IntPtr buffer);
  public static string Idle() {
    LastInput info = new LastInput();
    info.Size = (uint)Marshal.SizeOf(typeof(LastInput));
    return GetLastInputInfo(ref info) ? unchecked((uint)Environment.TickCount - info.Tick).ToString() : "";
  }
  public static string Flags() {
    IntPtr buffer;
    int bytes;
    if (!WTSQuerySessionInformationW(IntPtr.Zero, -1, 25, out buffer, out bytes)) return "";
    try { return bytes >= 20 && Marshal.ReadInt32(buffer, 0) == 1 ? ((uint)Marshal.ReadInt32(buffer, 16)).ToString() : ""; }
    finally { WTSFreeMemory(buffer); }
  }
  public static string Supply() {
    Power status;
    return GetSystemPowerStatus(out status) ? status.Line + "|" + status.Battery : "|";
  }
}
'@
while (Get-Process -Id ${parent}) {
  $idle = ''
  $flags = ''
  $supply = '|'
  $cost = '|'
  try { $idle = [CocoonConditions]::Idle() } catch { }
  try { $flags = [CocoonConditions]::Flags() } catch { }
  try { $supply = [CocoonConditions]::Supply() } catch { }
  try {
    $network = [Windows.Networking.Connectivity.NetworkInformation,Windows.Networking.Connectivity,ContentType=WindowsRuntime]::GetInternetConnectionProfile()
    if ($network -ne $null) {
      $price = $network.GetConnectionCost()
      $cost = "$([int]$price.NetworkCostType)|$([int]$price.Roaming)"
    }
  } catch { }
  "C|$idle|$flags|$supply|$cost"
  [Console]::Out.Flush()
  Start-Sleep -Seconds 5
}
`

export interface WindowsState {
  readonly session: Session
  readonly onBattery: boolean | null
  readonly metered: boolean | null
}

const form = /^C\|(\d{0,10})\|(\d{0,10})\|(\d{0,3})\|(\d{0,3})\|(\d?)\|([01]?)$/
/** Milliseconds at which the system's count of 32 bits begins anew. */
const wholeCountMs = 2 ** 32
/** An input between two looks is a few milliseconds "before" its own look, which the count shows as nearly its whole. */
const backwardsMs = 60_000
const noBattery = '128'

/** A line of `conditionScript`; undefined for anything else. */
export function parseConditionLine(line: string): WindowsState | undefined {
  const parts = form.exec(line)
  if (parts === null) return undefined
  const [, idle = '', flags = '', supply = '', battery = '', cost = '', roaming = ''] = parts
  const count = Number(idle)
  const idleMs = idle === '' || count >= wholeCountMs ? null : count >= wholeCountMs - backwardsMs ? 0 : count
  return {
    // WTS_SESSIONSTATE_LOCK and _UNLOCK; anything else is not known.
    session: { idleMs, locked: flags === '0' ? true : flags === '1' ? false : null },
    onBattery: supply === '1' ? false : supply === '0' && battery !== noBattery ? true : null,
    // NetworkCostType: 1 unrestricted, 2 fixed, 3 variable.
    metered: roaming === '1' || cost === '2' || cost === '3' ? true : cost === '1' && roaming === '0' ? false : null,
  }
}

export interface WindowsConditionsOptions {
  readonly run?: RunLines
  /** Milliseconds of a clock that never goes back; for tests. */
  readonly now?: () => number
  /** How long the first answer may wait for the first line. PowerShell takes seconds to start and to compile on a slow disk. */
  readonly firstMs?: number
}

/** Lines come every five seconds and a little: what is older was written by one that hangs. */
const freshMs = 20_000

/** Starts its PowerShell with the first question, and ends it by `close`. */
export function windowsConditions({
  run,
  now = () => performance.now(),
  firstMs = 30_000,
}: WindowsConditionsOptions = {}): ConditionSources {
  let last: { readonly state: WindowsState; readonly atMs: number } | undefined
  let stop: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const first = Promise.withResolvers<void>()
  const start = (): void => {
    if (stop !== undefined) return
    timer = setTimeout(first.resolve, firstMs).unref()
    const encoded = Buffer.from(conditionScript(process.pid), 'utf16le').toString('base64')
    stop = keepRunning({
      ...(run && { run }),
      command: 'powershell.exe',
      args: ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', encoded],
      onLine: (line) => {
        const state = parseConditionLine(line)
        if (state === undefined) return
        last = { state, atMs: now() }
        first.resolve()
      },
      onLost: () => {
        last = undefined
        first.resolve()
      },
    })
  }
  const present = async (): Promise<WindowsState | undefined> => {
    start()
    await first.promise
    return last !== undefined && now() - last.atMs <= freshMs ? last.state : undefined
  }
  return {
    onBattery: async () => (await present())?.onBattery ?? null,
    metered: async () => (await present())?.metered ?? null,
    session: async () => (await present())?.session ?? unknownSession,
    close: () => {
      clearTimeout(timer)
      first.resolve()
      stop?.()
      stop ??= () => undefined
    },
  }
}
