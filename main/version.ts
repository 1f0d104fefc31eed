import info from '../package.json' with { type: 'json' }

/** Version of the app, from the one place that states it. */
export const version: string = info.version
