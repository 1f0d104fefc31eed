/** Values that may be logged: counts, codes, names, addresses. Never prompts, answers, secrets or keys. */
export type LogFields = Record<string, string | number | bigint | boolean | undefined>

export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger whose lines name the room, e.g. `proxy`. */
  room(name: string): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/** Writes one line a message: ISO time, level, room, message, `key=value` fields. */
export function createLogger(write: (line: string) => void, least: LogLevel = 'info', name = 'core'): Logger {
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (order[level] < order[least]) return
    const rest = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${String(value).replaceAll(/\s+/g, ' ')}`)
    write(`${new Date().toISOString()} ${level} ${name}: ${message}${rest.join('')}`)
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    room: (room) => createLogger(write, least, room),
  }
}

export const silentLogger: Logger = createLogger(() => undefined, 'error')
