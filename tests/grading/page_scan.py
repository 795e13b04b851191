"""Looking through a page for what could do harm, and texts that try to do it."""

import re
from html.parser import HTMLParser

# What HTML and MathML can do no harm with, written down without looking at the module.
TEXT_TAGS = {
    *("p", "em", "strong", "s", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li"),
    *("blockquote", "pre", "code", "a"),
}
TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}
MATH_TAGS = {
    *("math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub"),
    *("msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle"),
    *("mpadded", "mphantom", "menclose", "mmultiscripts", "mprescripts", "none"),
}
ATTRIBUTES = {
    *("href", "rel", "target", "class", "start", "display", "mathvariant", "stretchy", "fence"),
    *("form", "symmetric", "lspace", "rspace", "minsize", "maxsize", "movablelimits", "largeop"),
    *("linethickness", "displaystyle", "scriptlevel", "width", "height", "depth", "columnalign"),
    *("columnlines", "rowlines", "accent", "accentunder"),
}


class Scan(HTMLParser):
    """Collects the tags of a page, and whatever in it could do harm."""

    def __init__(self, tags, attributes, links):
        super().__init__()
        self.allowed = tags, attributes, re.compile(links)
        self.tags = []
        self.offences = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        tags, attributes, links = self.allowed
        self.tags.append((tag, dict(attrs)))
        if tag not in tags:
            self.offences.append(f"<{tag}>")
        for name, value in attrs:
            if name not in attributes:
                self.offences.append(f"<{tag} {name}>")
            if name in ("href", "src") and not links.match(value or ""):
                self.offences.append(f"{name}={value}")

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.offences.append(f"<!--{data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def scan(page, *, tags=frozenset(), attributes=frozenset(), links="(https?|mailto):"):
    found = Scan(TEXT_TAGS | TABLE_TAGS | MATH_TAGS | tags, ATTRIBUTES | attributes, links)
    found.feed(str(page))
    found.close()
    found.offences += re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    return found


def elements(page, tag):
    return re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)


BAD = "<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>"
HOSTILE = {
    "html": BAD + "\n\n" + BAD,
    "html in code": f"`{BAD}`\n\n```html\n</code></pre>{BAD}\n```\n\n    {BAD}",
    "html in a table": f"| {BAD} |\n|---|\n| {BAD} |",
    "html in a link": f'[{BAD}](http://x.org/"onclick="alert(1) "{BAD}")',
    "html in an image": f"![{BAD}](http://x.org/{BAD})",
    "html in a fence's name": f"```{BAD}\nx\n```",
    "blocks": "<div onclick=alert(1)>\n*a*\n</div>\n<style>p{display:none}</style>\n<!-- x -->",
    "declarations": "<!DOCTYPE x><?php x ?><![CDATA[x]]><base href=//x><meta http-equiv=refresh>",
    "forms": "<form action=//x><input autofocus onfocus=alert(1)><iframe srcdoc='x'></iframe>",
    "links": "[a](javascript:alert(1)) [b](JaVa&#x0A;ScRiPt:alert(1)) <javascript:alert(1)> "
    "[c](&#106;avascript:alert(1)) [d](vbscript:x) [e](data:text/html,<script>) "
    "[f]\n\n[f]: javascript:alert(1)",
    "mathml": '<math><mi xlink:href="javascript:alert(1)">x</mi></math>'
    "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "html in mathematics": f"$\\text{{{BAD}}}$ $\\mathrm{{{BAD}}}$ ${BAD}$ "
    f"$$\\operatorname{{{BAD}}}$$ $\\hbox{{{BAD}}}$ $\\verb|{BAD}|$ $\\tag{{{BAD}}}$ "
    f"\\begin{{align}}{BAD}\\end{{align}}",
    "end of mathematics": "$\\text{</mtext></math><script>alert(1)</script>}$ "
    "$\\text{</annotation-xml><style><img src onerror=alert(1)>}$",
    "macros": "$\\href{javascript:alert(1)}{x} \\style{position:fixed}{y} \\class{badge}{z} "
    "\\unicode{x3c}script\\unicode{x3e} \\color{white}{x} \\textcolor{white}{x} "
    "\\colorbox{red}{x} \\fcolorbox{a}{b}{c}$",
    "attributes": '$\\color{"onclick="alert(1)}x \\href{"><script>alert(1)</script>}{x}$ '
    "$\\rule{9999em}{9999em} \\hspace{-9999em} \\above{9999em} \\genfrac(){9999em}{0}{a}{b}$",
    "entities": "&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(1)&#62; "
    "$\\text{&lt;script&gt;&#60;script&#62;&amp;lt;script&amp;gt;}$",
    "controls": "a\x00b\x1b[31mc\x9bd\u202ee\u2066f\ud800g\ufeffh &#0; &#x202e; &#27; &#xd800; "
    "$\\unicode{202e} \\unicode{0} \\unicode{d800} \\text{\u202e\x00}$",
    "places": "\ue0000\ue001 $a$ &#xe000;0&#xe001;&#xe000;0&#xe001;&#xe000;7&#xe001; "
    "[x](http://x.org/$b$ '$c$')",
    "rejected": f"$\\frac{{{BAD}}}$ $\\left({BAD}$",
}
