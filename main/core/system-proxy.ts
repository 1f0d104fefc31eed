import { type RunOnce, runOnce } from '../hardware/apple-watch.ts'

type ProxyEnv = Readonly<Record<string, string | undefined>>

const windowsKey = 'HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings'

/**
 * The environment, or, where it names no proxy, the one of the system's settings under the names that the environment would have. Scripts that choose a
 * proxy (PAC) are not run.
 */
export async function withSystemProxy(
  env: ProxyEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  run: RunOnce = runOnce,
): Promise<ProxyEnv> {
  if (['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].some((name) => env[name])) return env
  if (platform === 'win32') return merged(env, parseInternetSettings((await run('reg', ['query', windowsKey])) ?? ''))
  if (platform === 'darwin') return merged(env, parseScutil((await run('scutil', ['--proxy'])) ?? ''))
  return merged(env, parseGsettings((await run('gsettings', ['list-recursively', 'org.gnome.system.proxy'])) ?? ''))
}

interface Found {
  readonly http?: string | undefined
  readonly https?: string | undefined
  readonly except: readonly string[]
}

function merged(env: ProxyEnv, { http, https, except }: Found): ProxyEnv {
  if (http === undefined && https === undefined) return env
  // What no list of names can say is left out: networks by their numbers, and "all without a dot".
  const names = except.filter((name) => name !== '' && !/[/<>]/.test(name))
  const all = [env.no_proxy || env.NO_PROXY || '', ...names].filter(Boolean).join(',')
  return {
    ...env,
    ...(http && { HTTP_PROXY: http }),
    ...(https && { HTTPS_PROXY: https }),
    // Whoever reads them looks at the lower case first, and may look at no other.
    ...(all && { NO_PROXY: all, no_proxy: all }),
  }
}

/** `reg query` of the user's Internet Settings: one server for all, or `http=…;https=…`. */
export function parseInternetSettings(text: string): Found {
  const value = (name: string): string => new RegExp(`^\\s+${name}\\s+REG_\\w+\\s+(.*?)\\s*$`, 'mi').exec(text)?.[1] ?? ''
  if (Number(value('ProxyEnable')) !== 1) return { except: [] }
  const server = value('ProxyServer')
  const of = (scheme: string): string | undefined => {
    if (!server.includes('=')) return address(server)
    return address(new RegExp(`(?:^|;)${scheme}=([^;]+)`, 'i').exec(server)?.[1] ?? '')
  }
  return { http: of('http'), https: of('https'), except: value('ProxyOverride').split(';') }
}

/** `scutil --proxy` of macOS. */
export function parseScutil(text: string): Found {
  const value = (name: string): string => new RegExp(`^\\s*${name} : (.*?)\\s*$`, 'm').exec(text)?.[1] ?? ''
  const of = (scheme: 'HTTP' | 'HTTPS'): string | undefined =>
    value(`${scheme}Enable`) === '1' ? hostAndPort(value(`${scheme}Proxy`), value(`${scheme}Port`)) : undefined
  const list = /ExceptionsList : <array> \{([^}]*)\}/.exec(text)?.[1] ?? ''
  return {
    http: of('HTTP'),
    https: of('HTTPS'),
    except: [...list.matchAll(/^\s*\d+ : (.*?)\s*$/gm)].map(([, name = '']) => name),
  }
}

/** `gsettings list-recursively org.gnome.system.proxy`. */
export function parseGsettings(text: string): Found {
  const value = (schema: string, key: string): string =>
    (new RegExp(`^org\\.gnome\\.system\\.proxy${schema} ${key} (.*?)\\s*$`, 'm').exec(text)?.[1] ?? '').replace(/^'(.*)'$/, '$1')
  if (value('', 'mode') !== 'manual') return { except: [] }
  const of = (scheme: string): string | undefined => hostAndPort(value(`\\.${scheme}`, 'host'), value(`\\.${scheme}`, 'port'))
  const except = [...value('', 'ignore-hosts').matchAll(/'([^']*)'/g)].map(([, name = '']) => name)
  return { http: of('http'), https: of('https'), except }
}

function hostAndPort(host: string, port: string): string | undefined {
  return host === '' || !/^[1-9]\d{0,4}$/.test(port) ? undefined : address(`${host}:${port}`)
}

function address(server: string): string | undefined {
  const text = server.trim()
  return text === '' ? undefined : /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
}
