import { setGlobalProxyFromEnv } from 'node:http'
import type { Logger } from '../base/logger.ts'

/** Never by way of a proxy: the app's own parts and pages talk over these. */
const ownHosts = 'localhost,127.0.0.1,::1,[::1]'

type ProxyEnv = Readonly<Record<string, string | undefined>>

/**
 * What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in either case, with this computer left out; undefined when no proxy is named. Lower case goes
 * first, as curl has it. A proxy that is no HTTP address is left out.
 * @param refuse is told the name of a variable that was left out; its value may hold a password
 */
export function proxySettings(
  env: ProxyEnv,
  refuse: (name: string) => void = () => undefined,
): Record<string, string> | undefined {
  const value = (name: string): string => env[name.toLowerCase()] || env[name] || ''
  const address = (name: string): string => {
    const named = value(name)
    if (named === '' || isProxyAddress(named)) return named
    refuse(name)
    return ''
  }
  const [http, https, except] = [address('HTTP_PROXY'), address('HTTPS_PROXY'), value('NO_PROXY')]
  if (http === '' && https === '') return undefined
  return {
    ...(http !== '' && { http_proxy: http }),
    ...(https !== '' && { https_proxy: https }),
    no_proxy: [except, ownHosts].filter(Boolean).join(','),
  }
}

function isProxyAddress(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false
  try {
    decodeURIComponent(`${url.username}:${url.password}`)
    return true
  } catch {
    return false
  }
}

/** Sends the HTTP requests of this process by the proxy that the environment names, if any. Returns what undoes it. */
export function applyEnvProxy(logger: Logger, env: ProxyEnv = process.env): () => void {
  const settings = proxySettings(env, (variable) =>
    logger.warn('a proxy of the environment is no address of an HTTP proxy and is not used', { variable }),
  )
  return settings === undefined ? () => undefined : setGlobalProxyFromEnv(settings)
}
