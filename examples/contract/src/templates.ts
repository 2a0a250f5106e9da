/** The folders of the templates. */
export const TEMPLATES = ['fastify'] as const;
