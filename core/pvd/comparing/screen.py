def show(findings, report):
    print(len(str(findings)))
