import { describe, expect, it } from 'vitest'
import { proxySettings } from './env-proxy.ts'
import { parseGsettings, parseInternetSettings, parseScutil, withSystemProxy } from './system-proxy.ts'

/** Written by hand after what `reg query` writes. */
const windows = (server: string, enable = '0x1'): string => `
HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings
    ProxyEnable    REG_DWORD    ${enable}
    ProxyServer    REG_SZ    ${server}
    ProxyOverride    REG_SZ    *.corp.example;10.0.0.0/8;<local>
`
/** Written by hand after what `scutil --proxy` of macOS writes. */
const mac = `<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
  }
  HTTPEnable : 0
  HTTPPort : 8080
  HTTPProxy : web.example
  HTTPSEnable : 1
  HTTPSPort : 8443
  HTTPSProxy : secure.example
}`
/** Written by hand after what `gsettings list-recursively` writes. */
const gnome = (mode: string): string => `org.gnome.system.proxy autoconfig-url ''
org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', 'intern.example']
org.gnome.system.proxy mode '${mode}'
org.gnome.system.proxy.ftp host ''
org.gnome.system.proxy.http host 'web.example'
org.gnome.system.proxy.http port 3128
org.gnome.system.proxy.https host ''
org.gnome.system.proxy.https port 0
`

describe('the proxy of the system', () => {
  it('under Windows', () => {
    const both = { http: 'http://10.1.1.1:8080', https: 'http://10.1.1.1:8080' }
    expect(parseInternetSettings(windows('10.1.1.1:8080'))).toMatchObject(both)
    expect(parseInternetSettings(windows('http=a.example:1;https=b.example:2;socks=c:3'))).toMatchObject({
      http: 'http://a.example:1',
      https: 'http://b.example:2',
    })
    expect(parseInternetSettings(windows('10.1.1.1:8080', '0x0'))).toEqual({ except: [] })
    expect(parseInternetSettings('ERROR: The system was unable to find the key')).toEqual({ except: [] })
  })

  it('under macOS, with what is switched off left out', () => {
    expect(parseScutil(mac)).toEqual({ http: undefined, https: 'http://secure.example:8443', except: ['*.local', '169.254/16'] })
    expect(parseScutil('')).toMatchObject({ http: undefined, https: undefined })
  })

  it('of GNOME, when it is set by hand', () => {
    expect(parseGsettings(gnome('manual'))).toMatchObject({ http: 'http://web.example:3128', https: undefined })
    expect(parseGsettings(gnome('auto'))).toEqual({ except: [] })
  })

  it('is taken where the environment names none, with the names that a list can hold', async () => {
    const run = async (command: string): Promise<string | null> => (command === 'reg' ? windows('10.1.1.1:8080') : null)
    expect(await withSystemProxy({ NO_PROXY: 'a' }, 'win32', run)).toEqual({
      ...{ HTTP_PROXY: 'http://10.1.1.1:8080', HTTPS_PROXY: 'http://10.1.1.1:8080' },
      ...{ NO_PROXY: 'a,*.corp.example', no_proxy: 'a,*.corp.example' },
    })
    expect(await withSystemProxy({ https_proxy: 'http://mine:1' }, 'win32', run)).toEqual({ https_proxy: 'http://mine:1' })
    expect(await withSystemProxy({ X: 'y' }, 'linux', run)).toEqual({ X: 'y' })
    expect(await withSystemProxy({}, 'darwin', async () => mac)).toEqual({
      HTTPS_PROXY: 'http://secure.example:8443',
      NO_PROXY: '*.local',
      no_proxy: '*.local',
    })
  })

  it('keeps its exceptions beside those of the environment, in whichever case these are', async () => {
    const run = async (): Promise<string> => windows('10.1.1.1:8080')
    for (const env of [
      { no_proxy: 'mine' },
      { NO_PROXY: 'mine' },
      { no_proxy: 'mine', NO_PROXY: '' },
      { no_proxy: '', NO_PROXY: 'mine' },
    ]) {
      const settings = proxySettings(await withSystemProxy(env, 'win32', run))
      expect(settings?.no_proxy?.split(',')).toEqual(expect.arrayContaining(['mine', '*.corp.example', 'localhost']))
    }
  })
})
