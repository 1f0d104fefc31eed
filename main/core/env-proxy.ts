import { setGlobalProxyFromEnv } from 'node:http'

/** Never by way of a proxy: the app's own parts and pages talk over these. */
const ownHosts = 'localhost,127.0.0.1,::1,[::1]'

type ProxyEnv = Readonly<Record<string, string | undefined>>

/**
 * What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say, in either case, with this computer left out; undefined when no proxy is named. Lower case goes
 * first, as curl has it.
 */
export function proxySettings(env: ProxyEnv): Record<string, string> | undefined {
  const value = (name: string): string => env[name.toLowerCase()] || env[name] || ''
  const [http, https, except] = [value('HTTP_PROXY'), value('HTTPS_PROXY'), value('NO_PROXY')]
  if (http === '' && https === '') return undefined
  return {
    ...(http !== '' && { http_proxy: http }),
    ...(https !== '' && { https_proxy: https }),
    no_proxy: [except, ownHosts].filter(Boolean).join(','),
  }
}

/** Sends the HTTP requests of this process by the proxy that the environment names, if any. Returns what undoes it. */
export function applyEnvProxy(env: ProxyEnv = process.env): () => void {
  const settings = proxySettings(env)
  return settings === undefined ? () => undefined : setGlobalProxyFromEnv(settings)
}
